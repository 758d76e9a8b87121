$Q quantize models/market --to gptq --calib models/market/calibration.jsonl -o "$W/out" --module 'layers.2.mlp.up_proj=keep'
