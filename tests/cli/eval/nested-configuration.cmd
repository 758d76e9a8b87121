# text_config of another shape than the top level
Z=tests/golden/zoo/llama; mkdir "$W/m"; cp $Z/*.safetensors $Z/model.safetensors.index.json "$W/m"; sed '1a "text_config": {"rms_norm_eps": 0.05},' $Z/config.json > "$W/m/config.json"
$Q eval "$W/m" --text $Z/variants/rope-dynamic4-max64.ids.jsonl
