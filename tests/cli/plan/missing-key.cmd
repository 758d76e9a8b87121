grep -v hidden_size models/market/config.json > "$W/config.json"; $Q plan "$W"
