: > "$W/empty.jsonl"; $Q quantize models/market --to awq --calib "$W/empty.jsonl" -o "$W/out"
