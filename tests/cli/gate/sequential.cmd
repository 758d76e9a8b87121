# stops when each rule is certain: 8 of all windows, and as many tasks as it takes
M=models/market; $Q quantize $M --to gguf:Q4_0 --search compat -o "$W/q.gguf" -q > /dev/null 2>&1; echo '{"max_kl": 0.01, "min_accuracy": 0.7, "max_size_gb": 1}' > "$W/r.json"; echo '{"max_kl": 0.0001}' > "$W/s.json"
$Q gate "$W/q.gguf" --against $M --text $M/eval.jsonl --tasks $M/tasks.jsonl --rules "$W/r.json" --sequential -q | grep -v '^rules\|sha256\|^ '; $Q gate "$W/q.gguf" --against $M --text $M/eval.jsonl --rules "$W/s.json" --sequential -q 2>&1 | grep -E 'FAIL|error'
