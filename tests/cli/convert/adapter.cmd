# a LoRA adapter as llama.cpp takes it; what has no place there; no base
Z=tests/golden/zoo L=tests/golden/lora
$Q convert $L/qwen3_moe-experts --to gguf --base $Z/qwen3_moe-sparse -o "$W/a.gguf" && cmp "$W/a.gguf" $L/qwen3_moe-experts/adapter.f32.gguf && $Q inspect "$W/a.gguf" | head -2
$Q convert $L/llama-rslora --to gguf:F16 --base $Z/llama -o "$W/b.gguf" --json
$Q convert $L/llama-plain --to gguf:q8_0 --base $Z/llama -o "$W/c.gguf"
for a in "$L/llama-whole --to gguf --base $Z/llama" "$L/llama-plain --to gguf --base $Z/mixtral" "$L/qwen3-head --to gguf --base $Z/qwen3" "$L/llama-plain --to awq --base $Z/llama" "$L/llama-plain --to gguf"; do
  $Q convert $a -o "$W/out.gguf" 2>&1; echo $?; ls "$W" | grep out
done; exit 0
