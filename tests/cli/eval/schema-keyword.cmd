printf "{\"prompt\": \"a\", \"check\": \"json_schema\", \"schema\": {\"anyOf\": []}}\n" > "$W/t.jsonl"; $Q eval models/market --tasks "$W/t.jsonl"
