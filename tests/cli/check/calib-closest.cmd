# C-08: a generic corpus beside a set like the traffic: advice, and only the closest set is judged by it
awk 'NR % 2' models/market/calibration-fr.jsonl > "$W/traffic.jsonl"; awk 'NR % 2 == 0' models/market/calibration-fr.jsonl > "$W/ours.jsonl"; $Q check models/market --calib "models/market/calibration-en.jsonl,$W/ours.jsonl" --traffic "$W/traffic.jsonl" | grep -A3 "CHK-[DC]"
