echo x > "$W/s"; $Q calibrate models/market --data models/market/calibration.jsonl -o "$W/s"
