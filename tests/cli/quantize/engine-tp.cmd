# U-05: refused before any work, with the setting that works
$Q quantize models/market --to awq --calib models/market/calibration.jsonl --engine vllm --tp 4 -o "$W/out"
