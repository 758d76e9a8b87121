echo "{\"hidden_size\":64}" > "$W/config.json"; $Q check "$W/config.json"
