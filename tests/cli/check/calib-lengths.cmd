# C-05: lengths before, and what each policy leaves of them; long samples never vanish silently
{ cat models/market/calibration.jsonl; awk 'BEGIN { printf "{\"instruction\":\""; for (i = 0; i < 600; i++) printf "7 x "; print "\"}" }'; } > "$W/d.jsonl"; $Q check models/market --calib "$W/d.jsonl" | grep -A6 CHK-LENGTHS
