$Q quantize models/market --to gguf:Q8_0 -o "$W/a.gguf" -q > /dev/null && $Q quantize models/market --to gguf:Q8_0 --name other -o "$W/b.gguf" -q > /dev/null && $Q diff "$W/a.gguf" "$W/b.gguf"
