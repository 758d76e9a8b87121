# a key inside rope_scaling that no row reads
Z=tests/golden/zoo/llama; mkdir "$W/m"; cp $Z/*.safetensors $Z/model.safetensors.index.json "$W/m"; sed 's/"rope_type": "linear"/"rope_type": "linear", "frequency_shift": 2.0/' $Z/variants/rope-linear4.config.json > "$W/m/config.json"; grep -c frequency_shift "$W/m/config.json"
$Q eval "$W/m" --text $Z/variants/rope-dynamic4-max64.ids.jsonl
