printf "\377\376{\0\"\0" > "$W/t.jsonl"; $Q eval models/market --tasks "$W/t.jsonl"
