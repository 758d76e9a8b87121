# norms that one container stores as gains and the other as gains minus one are equal, and so are rotations spelled as factors or as a tensor
for m in gemma2 llama3-rope; do $Q quantize tests/golden/zoo/$m --to gguf:F32 -o "$W/$m.gguf" -q > /dev/null 2>&1; $Q diff tests/golden/zoo/$m "$W/$m.gguf"; done
$Q diff "$W/gemma2.gguf" tests/golden/zoo/gemma2 | tail -2; $Q explain "$W/gemma2.gguf" --tensor model.layers.1.input_layernorm --elem 0,3 --against tests/golden/zoo/gemma2 | tail -3
cp -r tests/golden/zoo/llama "$W/m"; sed -i 's/"rope_theta": [0-9.]*/"rope_theta": 5000.0/' "$W/m/config.json"; $Q diff tests/golden/zoo/llama "$W/m" | tail -3
