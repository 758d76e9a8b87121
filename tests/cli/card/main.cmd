# an artifact's own card, with what a release measured; YAML front matter, what is not recorded stands as UNKNOWN
$Q quantize models/market --to gguf:Q4_0 -o $W/a.gguf -q > /dev/null 2>&1
cat > $W/report.json <<'J'
{"protocol": "samples: 20 texts", "machine": "two threads", "token_hash": "0123456789abcdef",
 "rows": [{"artifact": "models/market"}, {"artifact": "dist/a.gguf", "ppl": 1.7325, "ppl_low": 1.6338, "ppl_high": 1.9082,
  "kl": 0.00028, "kl_low": 0.00023, "kl_high": 0.00037, "top1_pct": 98.5, "tasks": 24, "tasks_solved": 23}]}
J
$Q card $W/a.gguf --report $W/report.json --base org/market --license apache-2.0
