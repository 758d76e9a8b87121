cp models/market/model.safetensors "$W"; echo "{ \"model_type\": " > "$W/config.json"; $Q inspect "$W"
