# 128 copies of one line
$Q calibrate models/market --lint --data models/market/calibration-bad.jsonl
