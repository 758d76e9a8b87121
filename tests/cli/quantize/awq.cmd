$Q quantize models/market --to awq --calib models/market/calibration.jsonl --samples 4 -o "$W/out" | grep -v greedy && ls "$W" "$W/out"
