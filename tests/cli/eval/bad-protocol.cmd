$Q eval models/market --text models/market/eval.jsonl --protocol full
