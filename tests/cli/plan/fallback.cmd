# rows of 2688 values do not divide by 256 (users U-19)
sed "s/\"hidden_size\": *[0-9]*/\"hidden_size\": 2688/; s/\"num_hidden_layers\": *[0-9]*/\"num_hidden_layers\": 4/; s/\"layer_types\"/\"x_layer_types\"/" models/market/config.json > "$W/config.json"; $Q plan "$W/config.json" --formats Q4_K_M,IQ4_NL,awq --ctx 1k
