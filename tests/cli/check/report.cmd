set -o pipefail; cat > "$W/r.json" <<E
{"source_sha256":"aa","rows":[{"artifact":"src","container":"safetensors","bytes":16000000000,"gen_tps":{"median":10},"bandwidth_gbs":160,"tasks_solved":90,"tasks":100},
{"artifact":"x.gguf","container":"gguf v3","bytes":5000000000,"gen_tps":{"median":12},"bandwidth_gbs":60,"dppl_pct":0.5,"tasks_solved":82,"tasks":100}]}
E
$Q check models/market --report "$W/r.json" | grep -A3 CHK
