set -o pipefail; mkdir "$W/m-instruct"; cp models/market/*.json "$W/m-instruct"; sed -i "/chat_template/d" "$W/m-instruct/tokenizer_config.json"; $Q check "$W/m-instruct" | grep -A3 CHK
