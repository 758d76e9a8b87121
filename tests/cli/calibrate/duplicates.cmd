$Q calibrate models/market --data models/market/calibration-bad.jsonl -o "$W/out"
