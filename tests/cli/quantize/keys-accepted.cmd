# keys ignored knowingly are counted in the result and stand in the artifact
B=tests/golden/cases/text-model; mkdir "$W/m"; cp $B/model.safetensors "$W/m"; sed '0,/{/s//{ "logit_scale": 0.5,/' $B/config.json > "$W/m/config.json"
$Q quantize "$W/m" --to gguf:F16 -o "$W/a.gguf" --accept MOD-KEYS --json; $Q inspect "$W/a.gguf" | grep ignored
