# evidence against a source stays when the file is compared with its own keys
"$Q" quantize models/market --to gguf:Q8_0 -o "$W/m.gguf" -q > "$W/log" 2>&1
"$Q" verify --tokenizer "$W/m.gguf" --source models/market > "$W/log"; "$Q" verify --tokenizer "$W/m.gguf" | grep evidence
tr -d '\n ' < "$W/m.gguf.manifest.json" | grep -o '"tokenizer_proof":{"source":"[^"]*"'
