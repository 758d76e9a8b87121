$Q release models/market --to gguf:Q8_0 --max-tasks -3 -o "$W/out"
