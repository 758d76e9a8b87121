# chat alone: tasks; the engine is named by the user
head -6 models/market/eval.jsonl > "$W/e.jsonl"; head -5 models/market/tasks.jsonl > "$W/t.jsonl"; tests/serve/with.sh chat $Q eval models/market --runtime URL --tasks "$W/t.jsonl" --engine vllm -q
