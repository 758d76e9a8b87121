# What stands under or beside the output and is not ours is never replaced; our own leftovers are.
m=tests/golden/zoo/llama
try() { "$Q" "$@" -q > "$W/log" 2>&1; echo "$? $(grep '^quantz: error' "$W/log")"; }
echo mine > $W/a.gguf; try quantize $m --to gguf:Q8_0 -o $W/a.gguf
echo mine > $W/b.gguf.manifest.json; try quantize $m --to gguf:Q8_0 -o $W/b.gguf -f
echo mine > $W/c.gguf.partial; try quantize $m --to gguf:Q8_0 -o $W/c.gguf -f
mkdir $W/d.gguf.partial; echo mine > $W/d.gguf.partial/x; try quantize $m --to gguf:Q8_0 -o $W/d.gguf -f
echo mine > $W/e.gguf.partial.journal; try quantize $m --to gguf:Q8_0 -o $W/e.gguf -f
cat $W/[abcde].* $W/d.gguf.partial/x 2> /dev/null | sort | uniq -c
echo "an unfinished job of ours, of another kind"
mkdir $W/f.gguf.partial; printf 'quantz-items 2 x\n' > $W/f.gguf.partial.journal; try quantize $m --to gguf:Q8_0 -o $W/f.gguf; ls $W/f.gguf*
rm $W/f.gguf; try quantize $m --to gguf:Q8_0 -o $W/f.gguf
echo "a folder, or a name that ends in /, is where the file goes"
try quantize $m --to gguf:Q8_0 -o $W/new/; try quantize $m --to gguf:F32 -o $W/new; ls $W/new
