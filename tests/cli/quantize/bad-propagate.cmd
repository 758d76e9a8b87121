$Q quantize models/market --to gptq --calib models/market/calibration.jsonl --propagate sideways -o "$W/out" -q
