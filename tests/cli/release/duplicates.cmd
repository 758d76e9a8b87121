$Q release models/market --to awq --calib models/market/calibration-bad.jsonl -o "$W/out"
