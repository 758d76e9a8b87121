# a server that does not say what it is, and nobody does: not verified
head -6 models/market/eval.jsonl > "$W/e.jsonl"; head -5 models/market/tasks.jsonl > "$W/t.jsonl"; tests/serve/with.sh chat $Q eval models/market --runtime URL --tasks "$W/t.jsonl" -q
