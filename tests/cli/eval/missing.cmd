$Q eval "$W/none.gguf" --text models/market/eval.jsonl
