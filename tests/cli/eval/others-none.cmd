# nothing that fits the source
mkdir -p "$W/up"; head -4 models/market/eval.jsonl > "$W/e.jsonl"; cp -r tests/golden/zoo/llama "$W/up/m"
$Q eval --others "$W/up" --against models/market --text "$W/e.jsonl"
