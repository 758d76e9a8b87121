# both contracts by name, and the KL of what the speed columns ran: terminal, report.md, report.json, card
head -4 models/market/eval.jsonl > "$W/e.jsonl"; $Q release models/market --to gguf:Q4_K_M,gguf:F16 --text "$W/e.jsonl" --no-bench -o "$W/out" -q 2> /dev/null | grep '^Contracts\|^Runtime KL' | sed -E 's/0\.[0-9]+/N/g'
grep -o 'Contract of speed\|W4A16, exact\|W4A8 (q4_k×q8_k' "$W/out/report.md" | sort -u; grep -o '"runtime_kl":0\.[0-9]\|"runtime_contract":"[A-Z0-9]*"' "$W/out/report.json"; grep -c 'KL with the runtime.s own arithmetic (W4A8)' "$W/out/market.Q4_K_M.gguf.card.md"
