# case 01 and its kind: nothing that was given to us is ever replaced, with -f too, under no name
cp -r tests/golden/cases/01-output-is-input/src "$W/src"; cp tests/golden/cases/01-output-is-input/data.jsonl "$W/"
cd "$W" || exit 9
cp src/model.safetensors held; mkdir sub; ln src/model.safetensors hard.gguf; ln -s src/model.safetensors soft.gguf; ln -s ../src/config.json sub/deep.gguf; ln -s nowhere dangling.gguf
ln -s ../src sub/again; ln -s src/config.json part.gguf.partial; ln src/tokenizer.json side.gguf.manifest.json; mkfifo pipe
before=$(cat src/* data.jsonl | sha256sum)
t() { "$Q" "$@" -f -q 2>&1; echo "rc $?"; }
for o in src/model.safetensors hard.gguf soft.gguf sub/deep.gguf dangling.gguf sub/again/config.json src/../src/tokenizer.json part.gguf side.gguf pipe held/x.gguf; do t quantize src --to gguf:Q8_0 -o $o; done
for o in src . sub/again src/ "$W"; do t quantize src --to bnb:nf4 -o "$o"; done
$Q quantize src --to gguf:F16 -o a.gguf -q > /dev/null
t quantize a.gguf --to gguf:Q4_0 -o a.gguf
t quantize a.gguf a.gguf Q4_0
t quantize src --to gguf:Q4_0 --calib data.jsonl -o data.jsonl
echo x > b.gguf.partial.stats; t quantize a.gguf --to gguf:Q8_0 -o b.gguf --stats b.gguf.partial.stats
[ "$before" = "$(cat src/* data.jsonl | sha256sum)" ] && cmp -s src/model.safetensors held && [ -p pipe ] && echo "inputs and pipe as before"
t quantize src --to gguf:Q8_0 -o src/new.gguf 2>&1 | grep -v "warning\|peak\|proof\|Q[48]_0,\|fell back" # a new file beside the source, then our own one again
t quantize src --to gguf:Q4_0 -o src/new.gguf 2>&1 | grep -v "warning\|peak\|proof\|Q[48]_0,\|fell back"
mkdir -p src/a/b/c/d src/.hidden; echo x > src/a/b/c/d/e.gguf; echo x > src/.hidden/f # however deep in the source, and what an earlier job wrote beside it
t quantize src --to gguf:Q8_0 -o src/a/b/c/d/e.gguf
t quantize src --to gguf:Q8_0 -o src/.hidden/f
t quantize a.gguf --to gguf:Q4_0 -o a.gguf.manifest.json
