head -12 models/market/eval.jsonl > "$W/e.jsonl"; $Q eval models/market --text "$W/e.jsonl" --tasks models/market/tasks.jsonl --max-tasks 8
