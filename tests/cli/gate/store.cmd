# the verdict and the hash of the rules in the artifact's manifest
M=models/market; $Q quantize $M --to gguf:Q8_0 --search compat -o "$W/q.gguf" -q > /dev/null 2>&1; head -12 $M/eval.jsonl > "$W/e.jsonl"; echo '{"max_kl": 0.01}' > "$W/r.json"
$Q gate "$W/q.gguf" --against $M --text "$W/e.jsonl" --rules "$W/r.json" --store -q > /dev/null; grep -A7 '"gate"' "$W/q.gguf.manifest.json"; sha256sum "$W/r.json" | cut -d' ' -f1; $Q verify "$W/q.gguf" -q | tail -1
