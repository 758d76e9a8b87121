echo x > "$W/f"; $Q quantize models/market --to gguf:Q8_0 -o "$W/f/out.gguf"
