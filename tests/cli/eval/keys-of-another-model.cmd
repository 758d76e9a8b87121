# keys that the family does not read and that change the model; unknown and harmless ones are counted
Z=tests/golden/zoo/llama; mkdir "$W/m"; cp $Z/*.safetensors $Z/model.safetensors.index.json "$W/m"; sed '1a "logits_scaling": 8.0, "attn_logit_softcapping": 50.0, "residual_multiplier": 1.0, "sliding_window": null, "my_note": "x",' $Z/config.json > "$W/m/config.json"
$Q eval "$W/m" --text $Z/variants/rope-dynamic4-max64.ids.jsonl --accept MOD-KEYS | sed -n 3p; $Q eval "$W/m" --text $Z/variants/rope-dynamic4-max64.ids.jsonl
