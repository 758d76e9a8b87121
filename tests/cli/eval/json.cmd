# everything that the text prints is a field: what was measured on, the paired figures, the runtime's KL; numbers in full
head -4 models/market/eval.jsonl > "$W/e.jsonl"; printf '{"text":""}\n' >> "$W/e.jsonl"; head -3 models/market/tasks.jsonl > "$W/t.jsonl"
$Q quantize models/market --to gguf:Q4_K_M --search compat -o "$W/q.gguf" -q > /dev/null 2>&1
$Q eval "$W/q.gguf" --against models/market --text "$W/e.jsonl" --tasks "$W/t.jsonl" --json
