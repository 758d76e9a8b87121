# what release writes passes what check asks of reports, notes and cards
head -3 models/market/eval.jsonl > "$W/e.jsonl"; head -8 models/market/tasks.jsonl > "$W/t.jsonl"
$Q release models/market --to awq,gguf:Q4_K_M,gguf:Q8_0 --calib models/market/calibration.jsonl --samples 16 --text "$W/e.jsonl" --tasks "$W/t.jsonl" --no-bench -o "$W/r" -q > "$W/table" 2> /dev/null
$Q check "$W/r/market.Q4_K_M.gguf" --report "$W/r/report.json" --note "$W/r/report.md" | tail -1
for f in "$W"/r/*.card.md "$W/table"; do $Q check "$W/r/market.Q4_K_M.gguf" --note "$f" | grep "CHK-\|^errors"; done
grep -A1 "^GGUF, imp\|^| imp" "$W/r/report.md" "$W/r/market.Q4_K_M.gguf.card.md" "$W/r/market.Q8_0.gguf.card.md" | sed "s#.*/##" | grep imp
