$Q quantize models/market --to gguf:Q8_0 -o "$W/none/out.gguf"
