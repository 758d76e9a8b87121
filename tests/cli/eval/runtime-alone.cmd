# options of --runtime without it
$Q eval models/market --text models/market/eval.jsonl --store
