$Q eval --others "$W/nowhere" --against models/market --text models/market/eval.jsonl
