# dynamic rope scaling: both sequences of the golden file, then reversed: the same figure (transformers: exp(8.390609) = 4405.50)
Z=tests/golden/zoo/llama; mkdir "$W/m"; cp $Z/*.safetensors $Z/model.safetensors.index.json "$W/m"; cp $Z/variants/rope-dynamic4-max64.config.json "$W/m/config.json"
tac $Z/variants/rope-dynamic4-max64.ids.jsonl > "$W/reversed.jsonl"
$Q eval "$W/m" --text $Z/variants/rope-dynamic4-max64.ids.jsonl -q | sed -n 3p; $Q eval "$W/m" --text "$W/reversed.jsonl" -q | sed -n 3p
