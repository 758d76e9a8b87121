# --progress-json: where a stage stands, on stderr, terminal or not, quiet or not; windows of a layer are never more than there are, and the last line is the end
s='s/"(elapsed_s|tokens_per_s|eta_s)":[0-9.]+/"\1":N/g'
$Q calibrate models/market --data models/market/calibration.jsonl --seq-len 512 -o "$W/c.stats" -q --progress-json 2>&1 > /dev/null | grep '"progress":"calibrating"' | tail -1 | sed -E "$s"
$Q quantize models/market --to gguf:Q8_0 -o "$W/q.gguf" -q --progress-json 2>&1 > /dev/null | grep '"progress":"gguf:Q8_0"' | tail -1 | sed -E "$s"
head -12 models/market/eval.jsonl > "$W/e.jsonl"; $Q eval "$W/q.gguf" --against models/market --text "$W/e.jsonl" -q --progress-json 2>&1 > /dev/null | grep '"progress":"evaluating"' | tail -1 | sed -E "$s"
$Q eval "$W/q.gguf" --text "$W/e.jsonl" -q 2>&1 > /dev/null | grep -c progress
true
