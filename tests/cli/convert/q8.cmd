$Q quantize models/market --to gguf:Q8_0 -o "$W/m.gguf" -q > /dev/null && $Q convert "$W/m.gguf" --to gptq --config-dir models/market --dry-run
