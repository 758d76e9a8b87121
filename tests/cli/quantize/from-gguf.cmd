$Q quantize models/market --to gguf:F16 -o "$W/f16.gguf" -q > /dev/null && $Q quantize "$W/f16.gguf" --to gguf:Q4_0 -o "$W/a.gguf" -q > /dev/null && $Q verify "$W/a.gguf" | tail -2 | cut -c1-40
