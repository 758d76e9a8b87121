echo hello > "$W/config.json"; $Q check "$W/config.json"
