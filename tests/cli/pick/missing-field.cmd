echo "{\"model_type\":\"llama\"}" > "$W/config.json"; $Q pick "$W/config.json" --hardware h100-80gb
