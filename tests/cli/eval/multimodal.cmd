# the family is named before its keys
Z=tests/golden/zoo/llama; mkdir "$W/m"; cp $Z/*.safetensors $Z/model.safetensors.index.json "$W/m"; sed 's/"model_type": "llama"/"model_type": "llava", "quantization_config": {"quant_method": "awq", "bits": 5}, "text_config": {"model_type": "llama"}/' $Z/config.json > "$W/m/config.json"
$Q eval "$W/m" --text $Z/variants/rope-dynamic4-max64.ids.jsonl
