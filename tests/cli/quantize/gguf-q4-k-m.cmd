$Q quantize models/market --to gguf:Q4_K_M -o "$W/out.gguf" && ls "$W"
