$Q calibrate models/market --data models/market/calibration.jsonl --samples 4 -o "$W/c.stats" && ls "$W"
