$Q quantize models/market --to awq --calib models/market/calibration.jsonl -o "$W/out" --module mlp=bits:8
