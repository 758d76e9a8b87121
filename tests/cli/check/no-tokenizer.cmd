set -o pipefail; mkdir "$W/m"; cp models/market/*.json models/market/*.jinja models/market/model.safetensors "$W/m"; rm "$W/m/tokenizer.json"; $Q check "$W/m" | grep -A3 CHK
