# built-in levels of perplexity: 8.08, 8.24, 8.40 against 8.00 (C-180)
for p in 8.08 8.24 8.40; do echo '{"baseline":{"ppl":8.0},"candidates":[{"name":"x","ppl":'$p'}]}' > "$W/t.json"; $Q gate "$W/t.json" 2>&1 | grep -E '^x|approved|error'; done
