$Q quantize models/market --to gptq --calib models/market/calibration.jsonl -o "$W/out" --module 'mlp=bits:8' --engine transformers
