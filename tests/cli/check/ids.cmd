set -o pipefail; mkdir "$W/m"; cp models/market/*.json models/market/*.jinja "$W/m"; sed -i "s/\"eos_token_id\": [0-9]*/\"eos_token_id\": 99999/" "$W/m/config.json"; $Q check "$W/m" | grep -A3 CHK
