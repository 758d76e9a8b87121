$Q release models/market --to gguf:Q8_0 --text "$W/none.jsonl" -o "$W/out"
