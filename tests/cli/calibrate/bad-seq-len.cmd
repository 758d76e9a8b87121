$Q calibrate models/market --data models/market/calibration.jsonl --seq-len 7 -o "$W/out"
