$Q release models/market --to awq,gguf:Q8_0 --calib models/market/calibration.jsonl -o "$W/out" -n --module "down_proj=bits:8"
