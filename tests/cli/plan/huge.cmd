sed "s/\"hidden_size\": *[0-9]*/\"hidden_size\": 1000000/; s/\"intermediate_size\": *[0-9]*/\"intermediate_size\": 4000000/" models/market/config.json > "$W/config.json"; $Q plan "$W"
