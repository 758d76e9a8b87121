$Q quantize models/market --to gguf:Q4_0 -o "$W/m.gguf" -q > /dev/null && $Q convert "$W/m.gguf" --to gptq:w4g64 --config-dir models/market -o "$W/out"
