# the source against itself: KL 0, all tokens agree
head -4 models/market/eval.jsonl > "$W/e.jsonl"; $Q eval models/market --against models/market --text "$W/e.jsonl"
