# calibration and evaluation on the same lines
$Q calibrate models/market --lint --data models/market/eval.jsonl --text models/market/eval.jsonl
