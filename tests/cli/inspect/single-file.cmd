# a safetensors file by itself, and a folder without config.json
$Q inspect models/market/model.safetensors; mkdir "$W/m"; cp models/market/model.safetensors "$W/m"; $Q inspect "$W/m"
