# What is not ours beside the output folder, or beside a report, is never touched.
m=tests/golden/zoo/qwen2; mkdir $W/dist.partial.old; echo mine > $W/dist.partial.old/x
try() { "$Q" release $m --to gguf:Q8_0 --text $W/t.jsonl --no-bench -o $W/dist -q "$@" > $W/log 2>&1; echo "$? $(grep '^quantz: error' $W/log)"; }
printf '{"ids":[1,2,3,4,5,6,7,8]}\n' > $W/t.jsonl
try; cat $W/dist.partial.old/x; ls $W $W/dist
echo mine > $W/dist/report.md.manifest.json.partial.old; echo mine > $W/dist/report.md.manifest.json.partial; echo mine > $W/dist/report.md.partial; try --resume; cat $W/dist/report.md.p* $W/dist/report.md.m*
rm $W/dist/report.md.partial; try --resume; cat $W/dist/report.md.m*
