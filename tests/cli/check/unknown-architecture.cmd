# a GGUF file of an architecture that is not known: what needs none is checked, the rest is named; the same file with a NaN is an error
sed 's/llama/lstmx/g' tests/golden/cases/17-rope-scale_linear/old-key.gguf > "$W/x.gguf"; cp tests/golden/cases/vocabulary-alone.gguf "$W/v.gguf"; here=$PWD; cd "$W"; $Q check x.gguf 2> "$W/e"; echo "rc $?"
$Q check x.gguf --engine llama.cpp --json 2> "$W/e"; echo "rc $?"
cd "$here"; $Q quantize models/market --to gguf:Q4_0 --search compat -o "$W/m.gguf" -q > /dev/null 2>&1; sed 's/qwen3/rwkv9/g' "$W/m.gguf" > "$W/y.gguf"; cd "$W"; $Q check y.gguf --deep 2> "$W/e"; echo "rc $?"
cp x.gguf n.gguf; printf '\000\176' | dd of=n.gguf bs=1 seek=$(($(stat -c %s n.gguf) - 512)) conv=notrunc status=none
$Q check n.gguf 2>&1 | grep -A1 -E '^error|quantz: error'
$Q check v.gguf
