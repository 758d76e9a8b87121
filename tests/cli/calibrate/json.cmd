$Q calibrate models/market --data models/market/calibration.jsonl --samples 2 -o "$W/c.stats" -q --json
