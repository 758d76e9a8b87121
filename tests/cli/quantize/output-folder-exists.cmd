mkdir "$W/m"; echo old > "$W/m/x"; $Q quantize models/market --to awq --calib models/market/calibration.jsonl -o "$W/m"; code=$?; ls "$W/m"; exit $code
