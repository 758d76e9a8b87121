$Q calibrate models/market --data models/market/calibration.jsonl --lengths stretch -o "$W/out"
