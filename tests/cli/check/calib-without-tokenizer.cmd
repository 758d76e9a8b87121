$Q check llama-3-8b --calib models/market/calibration.jsonl
