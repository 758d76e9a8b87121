$Q quantize models/market --to gptq --calib models/market/calibration.jsonl -o "$W/out" -n --module 'layers.{0,5}=bits:8' --module 'o_proj=keep' | grep -e 'layers.[045].*proj' -e note -e bytes
