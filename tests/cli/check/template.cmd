set -o pipefail; mkdir "$W/m"; cp models/market/*.json models/market/*.jinja "$W/m"; echo "{{ raise_exception(\"no users here\") }}" > "$W/m/chat_template.jinja"; $Q check "$W/m" | grep -A3 CHK
