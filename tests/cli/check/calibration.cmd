set -o pipefail; $Q check models/market --calib models/market/calibration-bad.jsonl | grep -A3 CHK
