# --others in JSON: found, compared, skipped with reasons; each row's maker, provenance and place on the line
mkdir -p "$W/up"; head -4 models/market/eval.jsonl > "$W/e.jsonl"
$Q quantize models/market --to gguf:Q4_0 --search compat -o "$W/up/q4.gguf" -q > /dev/null 2>&1; head -c 100 "$W/up/q4.gguf" > "$W/up/torn.gguf"
$Q eval --others "$W/up" --against models/market --text "$W/e.jsonl" --arith exact --json 2> /dev/null | tr -d '\n' | sed 's/"rows":\[.*"upload"/ … "upload"/; s/.*"others"/"others"/'; echo
