# a server that takes token ids (llama-server): bounded KL to our run and to the source, tasks, tokens; what a verified run stores clears CHK-PAIR
head -6 models/market/eval.jsonl > "$W/e.jsonl"; head -5 models/market/tasks.jsonl > "$W/t.jsonl"; $Q quantize models/market --to gguf:Q4_0 --search compat -o "$W/q.gguf" -q > /dev/null 2>&1
$Q check "$W/q.gguf" --engine llama.cpp | grep -c CHK-PAIR
SERVED="$W/q.gguf" tests/serve/with.sh ids $Q eval "$W/q.gguf" --runtime URL --against models/market --text "$W/e.jsonl" --tasks "$W/t.jsonl" --positions 24 --store -q
grep -o '"verified_with": .*' "$W/q.gguf.manifest.json"; $Q check "$W/q.gguf" --engine llama.cpp | grep -c CHK-PAIR; $Q verify "$W/q.gguf" > /dev/null && echo verifies
