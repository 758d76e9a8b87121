mkdir "$W/m"; cp models/market/*.json "$W/m"; head -c 9000000 models/market/model.safetensors > "$W/m/model.safetensors"; $Q quantize "$W/m" --to gguf:Q8_0 -o "$W/out.gguf"
