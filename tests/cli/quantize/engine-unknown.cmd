$Q quantize models/market --to gguf:Q4_K_M --engine vlm -o "$W/out.gguf"
