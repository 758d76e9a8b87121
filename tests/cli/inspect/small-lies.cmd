# values that contradict each other or stand where they cannot
m() { rm -rf "$W/m"; cp -r "$1" "$W/m"; chmod -R u+w "$W/m"; }
said() { grep -hE "$1" | sort -u; }
m tests/golden/zoo/llama; sed -i 's/"attention_bias": false,/"layer_types": ["full_attention"],/' "$W/m/config.json"; $Q inspect "$W/m" 2>&1 | said 'runs|error'
m tests/golden/zoo/qwen2; tr -d '\n' < "$W/m/config.json" | sed -E 's/"layer_types": \[[^]]*\]/"layer_types": ["full_attention"]/' > "$W/c"; cp "$W/c" "$W/m/config.json"; $Q inspect "$W/m" 2>&1 | said 'runs|error'
m tests/golden/zoo/phi3; sed -i '0,/"partial_rotary_factor": 0.75/s//"partial_rotary_factor": 0.5/' "$W/m/config.json"; $Q inspect "$W/m" 2>&1 | said 'runs|error'; $Q run "$W/m" -p '1 2' 2>&1 | said error
m models/market; rm "$W/m/tokenizer.json"; mkdir "$W/m/tokenizer.json"; for v in inspect plan 'run -p hi'; do $Q $v "$W/m" 2>&1 | said 'runs|error'; done
m models/market; sed -i 's/"type": *"NFC"/"type":"NFX"/' "$W/m/tokenizer.json"; $Q inspect "$W/m" 2>&1 | said 'runs|error'
m tests/golden/zoo/llama; rm -f "$W/m/generation_config.json"; sed -i 's/"eos_token_id": 2/"eos_token_id": [2, 999, -7]/' "$W/m/config.json"; $Q quantize "$W/m" --to gguf:Q8_0 -o "$W/a.gguf" 2>&1 | said eos
$Q quantize tests/golden/cases/text-model --to gguf:F16 -o "$W/n.gguf" -q > /dev/null
LC_ALL=C sed 's/llama.block_count\x04\x00\x00\x00\x01\x00\x00\x00/llama.block_count\x05\x00\x00\x00\xfe\xff\xff\xff/' "$W/n.gguf" > "$W/b.gguf"; $Q inspect "$W/b.gguf" | said 'runs|block_count'; $Q plan "$W/b.gguf" | said block_count
