# --others needs the source and a text
$Q eval --others models --tasks models/market/tasks.jsonl
