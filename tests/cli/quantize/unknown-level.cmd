$Q quantize models/market --to gguf:Q4_K_N -o "$W/out.gguf"
