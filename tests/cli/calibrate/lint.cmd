$Q calibrate models/market --lint --data models/market/calibration.jsonl --text models/market/eval.jsonl --tasks models/market/tasks.jsonl
