# the base of another family, of another width, quantized, no folder; then adapters that are none
Z=tests/golden/zoo L=tests/golden/lora/llama-plain
try() { $Q merge "$@" -o "$W/out" > /dev/null 2> "$W/e"; echo "$?"; sed "s#$W#W#g" "$W/e"; rm -rf "$W/out"; }
change() { rm -rf "$W/a"; cp -r $L "$W/a"; sed -i "$1" "$W/a/adapter_config.json"; try $Z/llama "$W/a"; }
try $Z/mixtral $L
try $Z/qwen3 $L
$Q quantize models/market --to fp8:block -o "$W/q" -q > /dev/null 2>&1; try "$W/q" $L
try $L/adapter.f32.gguf $L
try $Z/llama $Z/llama
try $Z/llama $L:x
try $Z/llama nowhere
for e in 's/"use_dora": false/"use_dora": true/' 's/"LORA"/"IA3"/' 's/"init_lora_weights": true/"init_lora_weights": "pissa"/' \
  's/"target_parameters": null/"target_parameters": ["mlp.experts.gate_up_proj"]/' 's/"r": 4/"r": 5/' 's/"use_qalora"/"use_novel": 1, "use_qalora"/' \
  's/"o_proj": 8/"o_proj(": 8/'; do change "$e"; done
rm -rf "$W/a"; cp -r $L "$W/a"; mv "$W/a/adapter_model.safetensors" "$W/a/adapter_model.bin"; try $Z/llama "$W/a"
exit 0
