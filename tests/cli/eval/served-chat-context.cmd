# chat alone: a question that is text as it is
printf '{"context":"1 + 1 =","output":"2"}\n' > "$W/c.jsonl"; tests/serve/with.sh chat $Q eval models/market --runtime URL --tasks "$W/c.jsonl" -q
