# case 01: a conversion never replaces its source, nor the folder that --config-dir names
cp -r tests/golden/cases/01-output-is-input/src "$W/src"; cd "$W" || exit 9
$Q quantize src --to gguf:Q8_0 -o a.gguf -q > /dev/null; $Q quantize src --to bnb:nf4 -o n -q > /dev/null 2>&1
t() { "$Q" convert "$@" -f -q 2>&1; echo "rc $?"; }
t a.gguf --to gguf:Q8_0 -o a.gguf
t n --to bnb:nf4 -o n
t n --to gguf:F16 -o n/model.safetensors
t a.gguf --to gptq --config-dir src -o src
$Q verify a.gguf | tail -1; $Q verify n | tail -1
