# no probabilities
head -6 models/market/eval.jsonl > "$W/e.jsonl"; head -5 models/market/tasks.jsonl > "$W/t.jsonl"; tests/serve/with.sh nologprobs $Q eval models/market --runtime URL --text "$W/e.jsonl" --positions 6 -q
