$Q release models/market --to awq,guff:Q8_0 --calib models/market/calibration.jsonl -o "$W/out"
