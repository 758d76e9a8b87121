$Q quantize models/market --to awq --propagate original --calib models/market/calibration.jsonl --samples 8 -o "$W/m-AWQ" -q > /dev/null; $Q explain launch "$W/m-AWQ"
