$Q release models/market --to gguf:Q8_0
