# a build against the locked one: the same bytes pass; swapped rows, another rounding and fewer tokens do not
M=models/market; head -12 $M/eval.jsonl > "$W/e.jsonl"; $Q quantize $M --to gguf:Q4_0 --search compat -o "$W/q.gguf" -q > /dev/null 2>&1
$Q gate "$W/q.gguf" --against $M --text "$W/e.jsonl" --tasks $M/tasks.jsonl --max-tasks 24 --write-lock "$W/q.lock" -q > /dev/null 2>&1
$Q gate "$W/q.gguf" --against $M --text "$W/e.jsonl" --tasks $M/tasks.jsonl --max-tasks 24 --lock "$W/q.lock" -q; echo "exit $?"
n=$(stat -c %s "$W/q.gguf"); cp "$W/q.gguf" "$W/s.gguf"; dd if="$W/q.gguf" of="$W/s.gguf" bs=18 skip=$((n/36)) seek=$((n/36+2000)) count=1000 conv=notrunc 2> /dev/null
$Q gate "$W/s.gguf" --against $M --text "$W/e.jsonl" --tasks $M/tasks.jsonl --max-tasks 24 --lock "$W/q.lock" -q 2>&1 | grep -oE 'kl_drift .*(pass|FAIL)|approved.*'
$Q quantize $M --to gguf:Q3_K_M --search compat -o "$W/t.gguf" -q > /dev/null 2>&1
$Q gate "$W/t.gguf" --against $M --text "$W/e.jsonl" --tasks $M/tasks.jsonl --max-tasks 24 --lock "$W/q.lock" -q 2>&1 | grep -oE 'kl_drift .*(pass|FAIL)|approved.*'
head -11 $M/eval.jsonl > "$W/f.jsonl"; $Q gate "$W/q.gguf" --against $M --text "$W/f.jsonl" --lock "$W/q.lock" -q
