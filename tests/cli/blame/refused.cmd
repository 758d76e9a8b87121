$Q blame models/market --against models/market --text models/market/eval.jsonl 2>&1
$Q blame models/market 2>&1
$Q blame tests/golden/zoo/qwen2 --against tests/golden/zoo/qwen3 --text $W/none 2>&1
bash tests/cli/ids.sh > $W/ids.jsonl
$Q blame tests/golden/zoo/qwen2 --against tests/golden/zoo/qwen3 --text $W/ids.jsonl
