$Q quantize models/market --to gguf:Q4_K_M --imatrix models/market/config.json -o "$W/out.gguf"
