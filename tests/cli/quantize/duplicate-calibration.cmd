$Q quantize models/market --to awq --calib models/market/calibration-bad.jsonl -o "$W/out"
