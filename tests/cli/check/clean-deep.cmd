$Q quantize models/market --to awq --propagate original --calib models/market/calibration.jsonl --samples 4 --accept CAL-COUNT,CAL-RANK -o "$W/m" -q > /dev/null 2>&1; $Q check "$W/m" --deep | tail -1
