$Q eval tests/golden/zoo/llama --text models/market/eval.jsonl
