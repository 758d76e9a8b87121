$Q quantize models/market --to gguf:Q8_0 -o "$W/a.gguf" -q > /dev/null && $Q diff models/market "$W/a.gguf" --json
