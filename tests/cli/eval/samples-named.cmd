# the named protocol scores what the default scores
head -70 models/market/eval.jsonl > "$W/e.jsonl"
$Q eval models/market --text "$W/e.jsonl" -q | head -1; $Q eval models/market --text "$W/e.jsonl" --protocol samples -q | head -1
