$Q quantize models/market --to gguf:Q8_0 -o "$W/m.gguf" -q > /dev/null && $Q verify "$W/m.gguf"
