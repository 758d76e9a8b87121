cp models/market/config.json "$W"; head -c 9000000 models/market/model.safetensors > "$W/model.safetensors"; $Q bench "$W"
