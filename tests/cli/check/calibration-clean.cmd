$Q check models/market --calib models/market/calibration.jsonl --text models/market/eval.jsonl --tasks models/market/tasks.jsonl | tail -1
