$Q calibrate models/market --lint --json --data models/market/calibration-fr.jsonl --traffic models/market/calibration-en.jsonl
