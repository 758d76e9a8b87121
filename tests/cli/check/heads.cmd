sed "s/\"num_key_value_heads\": [0-9]*/\"num_key_value_heads\": 3/" models/market/config.json > "$W/config.json"; $Q check "$W/config.json"
