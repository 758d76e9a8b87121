printf "{\"check\": \"likelihood\", \"context\": \"a\", \"between\": \"\", \"output\": \"\"}\n" > "$W/t.jsonl"; $Q eval models/market --tasks "$W/t.jsonl"
