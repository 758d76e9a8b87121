# weights beside the checkpoint are named, shards without an index are no checkpoint; names of keys cannot reach the terminal
B=tests/golden/cases/text-model; mkdir "$W/m" "$W/n"; cp $B/model.safetensors "$W/m"; cp $B/model.safetensors "$W/m/consolidated.safetensors"; sed '0,/{/s//{ "a\\n\\u001b[31mb": 1,/' $B/config.json > "$W/m/config.json"
$Q eval "$W/m" --text tests/golden/cases/08-tied-in-config-but-own-lm_head/ids.jsonl > /dev/null; $Q inspect "$W/m" | grep -E 'other|keys'
cp $B/config.json "$W/n"; for i in 1 2; do cp $B/model.safetensors "$W/n/model-0000$i-of-00002.safetensors"; done; $Q inspect "$W/n"
