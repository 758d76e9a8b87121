: > "$W/empty.jsonl"; $Q calibrate models/market --data "$W/empty.jsonl" -o "$W/out"
