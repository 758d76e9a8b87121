# a layer that num_hidden_layers does not announce
Z=tests/golden/zoo/llama; mkdir "$W/m"; cp $Z/*.safetensors $Z/model.safetensors.index.json "$W/m"; sed 's/"num_hidden_layers": 2/"num_hidden_layers": 1/' $Z/config.json > "$W/m/config.json"
$Q eval "$W/m" --text $Z/variants/rope-dynamic4-max64.ids.jsonl
