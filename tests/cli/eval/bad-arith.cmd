$Q eval models/market --text models/market/eval.jsonl --arith fp64
