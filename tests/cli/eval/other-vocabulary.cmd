# C-102: two ids that mean other texts; with a source and without one; no figure is printed
mkdir "$W/m"; cp models/market/*.json models/market/chat_template.jinja models/market/model.safetensors "$W/m"; head -12 models/market/eval.jsonl > "$W/e.jsonl"; 
sed -i 's/"llo": 600/"llo": 601/; s/"hrow": 601/"hrow": 600/' "$W/m/tokenizer.json"
$Q eval "$W/m" --against models/market --text "$W/e.jsonl" 2>&1 | sed "s/^quantz: error/against: error/"
$Q eval models/market "$W/m" --text "$W/e.jsonl"
