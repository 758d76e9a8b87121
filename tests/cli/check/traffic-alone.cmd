$Q check models/market --traffic models/market/calibration-fr.jsonl
