# C-180: a note from +1 %, a warning from +3 %, an error from +5 % unless tasks pass; task loss speaks at any perplexity
r() { printf '{"rows":[{"artifact":"src","container":"safetensors","bytes":16,"ppl":8.00%s},{"artifact":"x.gguf","container":"gguf v3","bytes":5,"ppl":%s%s}]}' "$2" "$1" "$3" > "$W/r.json"; $Q check models/market --report "$W/r.json" > "$W/o" 2> /dev/null; c=$?; grep -A1 "CHK-\(PPL\|TASK\)" "$W/o" | tr -s ' '; echo "exit $c"; }
r 8.07; r 8.08; r 8.24; r 8.40
t() { printf ',"tasks_solved":%s,"tasks":100' "$1"; }
r 8.80 "$(t 98)" "$(t 98)"; r 8.80 "$(t 98)" "$(t 78)"; r 7.99 "$(t 98)" "$(t 78)"; r 8.00 "$(t 98)" "$(t 97)"
# the answer of eval is read too
head -6 models/market/eval.jsonl > "$W/e.jsonl"; head -20 models/market/tasks.jsonl > "$W/t.jsonl"; $Q quantize models/market --to gguf:Q2_K --search compat -o "$W/q2.gguf" -q > /dev/null 2>&1
$Q eval "$W/q2.gguf" --against models/market --text "$W/e.jsonl" --tasks "$W/t.jsonl" --json > "$W/r.json" 2> /dev/null; $Q check models/market --report "$W/r.json" 2> /dev/null | grep -o "CHK-[A-Z0-9]*" | sort
