# the same figures as JSON
head -6 models/market/eval.jsonl > "$W/e.jsonl"; head -5 models/market/tasks.jsonl > "$W/t.jsonl"; tests/serve/with.sh echo $Q eval models/market --runtime URL --text "$W/e.jsonl" --tasks "$W/t.jsonl" --positions 12 --json
