$Q quantize models/market --two gguf:Q8_0 -o "$W/out.gguf"
