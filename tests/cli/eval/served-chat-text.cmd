# chat alone: a text cannot be measured
head -6 models/market/eval.jsonl > "$W/e.jsonl"; tests/serve/with.sh chat $Q eval models/market --runtime URL --text "$W/e.jsonl" -q
