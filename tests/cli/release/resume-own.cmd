# --resume replaces a report or a card only if it is this job's, or a killed job's; --force replaces no report.json of another program.
m=tests/golden/zoo/qwen2; d=$W/d; printf '{"ids":[1,2,3,4,5,6,7,8]}\n' > $W/t.jsonl
try() { "$Q" release $m --to gguf:Q8_0 --text $W/t.jsonl --no-bench -o $d -q -t 1 "$@" > $W/log 2> $W/err; echo "$? $(grep '^quantz: error' $W/err)"; }
json() { sed -n 's/.*"artifact":"\([^"]*\)".*/\1/p' $d/report.json | sed 's#.*/##' | tr '\n' ' '; echo; }
echo "not ours"
mkdir $d; echo mine > $d/report.md; try --resume; cat $d/report.md; ls $d; rm $d/report.md
echo mine > $d/qwen2.Q8_0.gguf.card.md; try --resume; cat $d/*.card.md; rm $d/*.card.md
echo mine > $d/report.json; try --resume; try --force; cat $d/report.json; rm $d/report.json
echo mine > $d/calibration.partial.stats; try --resume; try --force; cat $d/calibration.partial.stats; rm $d/calibration.partial.stats
echo "this job's"
try; sed -n '/"files"/,/rows/p' $d/report.json | grep -c sha256; (cd $d && sed -n 's/{"name":"\(.*\)","sha256":"\(.*\)"}.*/\2  \1/p' report.json | sha256sum -c)
try --resume; ls $d
echo "edited, of another list, of another source"
cp $d/qwen2.Q8_0.gguf.card.md $W/card; echo mine >> $d/qwen2.Q8_0.gguf.card.md; try --resume; tail -1 $d/*.card.md; cp $W/card $d/qwen2.Q8_0.gguf.card.md
sed 's/speed/fast/' $d/report.md > $W/x; cp $W/x $d/report.md; try --resume; cmp $W/x $d/report.md; try --force
try --to gguf:Q4_0 --resume; try --to gguf:Q8_0,gguf:Q4_0 --resume; json; ls $d
sed -i 's/"source_sha256":"[0-9a-f]*"/"source_sha256":"00"/' $d/report.json; try --resume; try --force
echo "a killed job's: before report.json had its name, before the cards had theirs, before its end"
locks() { for x in report.md report.json qwen2.Q8_0.gguf qwen2.Q8_0.gguf.card.md; do : > $d/$x.partial.lock; done; }
rm $d/report.json; try --resume; locks; try --resume; json; ls $d
rm $d/report.json $d/*.card.md; locks; try --resume; ls $d; locks; try --resume; ls $d
rm $d/report.json; echo mine > $d/report.md; locks; try --resume; cat $d/report.md
