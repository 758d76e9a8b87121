# Names that are no output, names that would become part of the source, and a limit on the size of files.
m=tests/golden/zoo/qwen2 q=$(realpath "$Q")
try() { "$q" quantize "$@" -q -t 1 > "$W/log" 2> "$W/err"; echo "$? $(grep '^quantz: error' "$W/err"; head -1 "$W/log")"; }
for o in - / . .. $W/..; do try $m --to bnb:nf4 -o $o; done
try $m --to gguf:Q8_0 -o -; try $m --to gguf:Q8_0 -o ./-/x --dry-run
echo "--name makes the name of the output"
for n in a/b ../b ''; do try $m --to gguf:Q8_0 --name "$n"; done; try $m --to gguf:Q8_0 --name a/b -o $W/named
for n in $'a\nb' $'a\x7fb' $'caf\xe9' ''; do try $m --to gguf:Q8_0 --name "$n" -o $W/bad.gguf; done; "$q" convert $m --to gguf:Q8_0 --name $'\xe9' -o $W/bad.gguf 2>&1; "$q" release $m --to gguf:Q8_0 --name $'\t' -o $W/bad 2>&1 | tail -1; ls $W | grep bad
mkdir $W/src; for f in $m/*; do [ -f $f ] && cp $f $W/src/; done; rm -f $W/src/tokenizer.model $W/src/model.safetensors.index.json
( cd $W/src; echo "the name of the folder"; try . --to gguf:Q8_0; ls -A | grep gguf; try ./ --to gguf:F16 --dry-run -o x
echo "what loaders read there"
for o in tokenizer.model model.safetensors.index.json pytorch_model.bin ./tokenizer.model; do try . --to gguf:Q8_0 -o $o; done; try config.json --to gguf:Q8_0 -o tokenizer.model; try . --to gguf:Q8_0 -o sub/tokenizer.model )
echo "ulimit -f"
( ulimit -f 20; try $m --to gguf:Q8_0 -o $W/limit; ls $W | grep limit )
