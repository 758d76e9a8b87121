set -o pipefail; mkdir "$W/m"; cp models/market/*.json models/market/*.jinja "$W/m"; sed -i "s/\"vocab_size\": [0-9]*/\"vocab_size\": 1500/" "$W/m/config.json"; $Q check "$W/m" | grep -A3 CHK
