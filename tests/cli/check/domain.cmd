# C-187: the French support model
set -o pipefail; $Q check models/market --calib models/market/calibration-en.jsonl --traffic models/market/calibration-fr.jsonl | grep -A3 CHK-DOMAIN
