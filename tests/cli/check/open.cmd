set -o pipefail; mkdir "$W/m"; cp models/market/*.json models/market/*.jinja "$W/m"; head -c 9000000 models/market/model.safetensors > "$W/m/model.safetensors"; $Q check "$W/m" | grep CHK
