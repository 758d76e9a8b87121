$Q calibrate models/market --data models/market/calibration-bad.jsonl --accept CAL-DUP,CAL-RANK --samples 2 -o "$W/c.stats" -q | tail -1
