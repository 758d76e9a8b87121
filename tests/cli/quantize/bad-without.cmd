$Q quantize models/market --to gptq --calib models/market/calibration.jsonl --without magic -o "$W/out" -q
