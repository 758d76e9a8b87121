sed "s/\"num_hidden_layers\": [0-9]*/\"num_hidden_layers\": 0/" models/market/config.json > "$W/config.json"; $Q pick "$W/config.json" --hardware h100-80gb
