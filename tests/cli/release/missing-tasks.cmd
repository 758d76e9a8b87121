$Q release models/market --to gguf:Q8_0 --tasks "$W/none.jsonl" -o "$W/out"
