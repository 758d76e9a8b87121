# the artifact names another source_sha256 than that of --against: a warning, a line, a field of --json, and exit 0; none against its own
mkdir "$W/m"; cp models/market/*.json models/market/chat_template.jinja models/market/model.safetensors "$W/m"; head -12 models/market/eval.jsonl > "$W/e.jsonl"; 
$Q quantize models/market --to gguf:Q8_0 --search compat -o "$W/q.gguf" -q > /dev/null 2>&1
n=$(stat -c %s "$W/m/model.safetensors"); printf '\001' | dd of="$W/m/model.safetensors" bs=1 seek=$((n - 2)) conv=notrunc 2> /dev/null
$Q eval "$W/q.gguf" --against "$W/m" --text "$W/e.jsonl" | grep -c "other source    made from source_sha256 7dbbccaef3d6caa5"
$Q eval "$W/q.gguf" --against "$W/m" --text "$W/e.jsonl" --json 2> /dev/null | grep -o '"made_from_other_source":"[0-9a-f]*"'
$Q eval "$W/q.gguf" --against models/market --text "$W/e.jsonl" --json 2>&1 | grep -c 'made_from\|other weights'
true
