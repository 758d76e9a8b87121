$Q quantize models/market --to gguf:Q4_0 -o "$W/m.gguf" -q > /dev/null && $Q convert "$W/m.gguf" --to awq --config-dir models/market --dry-run --json
