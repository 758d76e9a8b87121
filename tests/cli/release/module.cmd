$Q release models/market --to awq,gptq,gguf:Q8_0 --calib models/market/calibration.jsonl -o "$W" -n --module "down_proj=bits:8,group_size:32"; ls "$W"
