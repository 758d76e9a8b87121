echo "{}" > "$W/r.json"; $Q check models/market --report "$W/r.json"
