sed "s/\"num_attention_heads\": *[0-9]*/\"num_attention_heads\": 5/" models/market/config.json > "$W/config.json"; $Q plan "$W"
