# the same vocabulary, the text is cut otherwise: the first merge goes behind the others
mkdir "$W/m"; cp models/market/*.json models/market/chat_template.jinja models/market/model.safetensors "$W/m"; head -12 models/market/eval.jsonl > "$W/e.jsonl"; 
awk '/"merges": \[/ { print; hold = 1; next } hold && hold < 5 { first = first $0 "\n"; hold++; if (hold == 5) hold = 0; n = 1; next } n && n++ == 4 * 60 { print; printf "%s", first; n = 0; next } { print }' models/market/tokenizer.json > "$W/m/tokenizer.json"
$Q eval "$W/m" --against models/market --text "$W/e.jsonl"
