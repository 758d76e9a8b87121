# an adapter beside a checkpoint, its GGUF file and codes; what is refused
Z=tests/golden/zoo/llama L=tests/golden/lora
go() { $Q run "$@" -p '5 6 7 8 9' --max-new 8 --arith exact 2> "$W/e"; echo "exit $?"; grep -E 'error|warning|adapters' "$W/e"; }
go $Z; go $Z --lora $L/llama-plain
$Q quantize $Z --to gguf:BF16 -o "$W/m.gguf" -q > /dev/null 2>&1; go "$W/m.gguf" --lora $L/llama-plain
$Q quantize $Z --to bnb:nf4 -o "$W/nf4" -q > /dev/null 2>&1; go "$W/nf4" --lora $L/llama-plain:0.5 --base $Z; go "$W/nf4" --lora $L/llama-plain:0.5
go $Z --lora $L/llama-plain --lora $L/llama-rslora:0.25
go $Z --lora $L/llama-whole; go tests/golden/zoo/qwen3 --lora $L/llama-plain; go $Z --lora $L/qwen3_moe-experts; go $Z --lora nowhere; go $Z --base $Z
# the same adapter as a GGUF file: beside a folder, a GGUF file, codes; of another model; cut
$Q convert $L/llama-plain --base $Z --to gguf -o "$W/a.gguf" -q > /dev/null 2>&1
go $Z --lora "$W/a.gguf"; go "$W/m.gguf" --lora "$W/a.gguf"; go "$W/nf4" --lora "$W/a.gguf:0.5" --base $Z; go tests/golden/zoo/qwen3 --lora "$W/a.gguf"
head -c 3000 "$W/a.gguf" > "$W/cut.gguf"; go $Z --lora "$W/cut.gguf"; go $Z --lora "$W/m.gguf"
exit 0
