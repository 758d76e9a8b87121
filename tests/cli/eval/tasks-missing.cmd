printf '{"no": "prompt"}\n' > "$W/bad.jsonl"; timeout 3 $Q eval models/market --text models/market/eval.jsonl --tasks "$W/bad.jsonl"
