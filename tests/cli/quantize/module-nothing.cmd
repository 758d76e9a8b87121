$Q quantize models/market --to gptq --calib models/market/calibration.jsonl -o "$W/out" --module 'layers.6=keep'
