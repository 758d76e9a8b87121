$Q release models/market --to awq,gguf:Q4_K_M --calib models/market/calibration.jsonl -o "$W" --dry-run; ls "$W"
