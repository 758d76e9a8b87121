$Q quantize models/market --to gguf:Q4_0 -o "$W/m.gguf" -q > /dev/null && $Q inspect "$W/m.gguf"
