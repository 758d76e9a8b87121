printf "{\"instruction\": \"a\", \"output\": \"b\", \"check\": \"exakt\"}\n" > "$W/t.jsonl"; $Q eval models/market --tasks "$W/t.jsonl"
