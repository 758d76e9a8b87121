# the same vocabulary and merges, another normalizer
mkdir "$W/m"; cp models/market/*.json models/market/chat_template.jinja models/market/model.safetensors "$W/m"; head -12 models/market/eval.jsonl > "$W/e.jsonl"; 
sed -i 's/"type": "NFC"/"type": "Lowercase"/' "$W/m/tokenizer.json"
$Q eval models/market "$W/m" --text "$W/e.jsonl"
