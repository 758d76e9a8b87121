: > "$W/t.jsonl"; $Q eval models/market --tasks "$W/t.jsonl"
