# HTTP 500
head -6 models/market/eval.jsonl > "$W/e.jsonl"; head -5 models/market/tasks.jsonl > "$W/t.jsonl"; tests/serve/with.sh error $Q eval models/market --runtime URL --text "$W/e.jsonl" --positions 6 -q
