echo x > "$W/f"; $Q release models/market --to gguf:Q8_0 -o "$W/f"
