printf "{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": 5}\n" > "$W/t.jsonl"; $Q eval models/market --tasks "$W/t.jsonl"
