# echoed texts with log-probabilities; one place late as llama-cpp-python 0.3.36 has them: found, said, read so
head -6 models/market/eval.jsonl > "$W/e.jsonl"; head -5 models/market/tasks.jsonl > "$W/t.jsonl"; for mode in echo late; do tests/serve/with.sh $mode $Q eval models/market --runtime URL --text "$W/e.jsonl" --positions 24; done
