$Q release models/market --to gguf:Q8_0,gguf:Q8_0 -o "$W/out"
