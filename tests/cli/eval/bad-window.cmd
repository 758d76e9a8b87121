$Q eval models/market --text models/market/eval.jsonl --window 4
