# a source with another vocabulary cannot be compared
$Q eval models/market --against tests/golden/zoo/llama --text models/market/eval.jsonl
