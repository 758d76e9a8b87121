$Q quantize models/market --to gguf:Q4_K_M -o "$W/m.gguf" -q > /dev/null && $Q convert "$W/m.gguf" --to gptq:w4g32 --config-dir models/market -o "$W/out"
