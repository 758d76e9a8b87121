$Q quantize models/market --to awq:w4g100 --calib models/market/calibration.jsonl -o "$W/out"
