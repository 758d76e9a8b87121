$Q quantize models/market --to gguf:Q8_0 --search fast -o "$W/out.gguf"
