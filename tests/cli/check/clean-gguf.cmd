$Q quantize models/market --to gguf:Q8_0 -o "$W/m.gguf" -q > /dev/null; $Q check "$W/m.gguf"
