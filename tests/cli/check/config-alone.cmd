cp models/market/config.json "$W/config.json"; $Q check "$W/config.json" --to awq:w4g64
