# exact alone: no second pass, no runtime line
head -4 models/market/eval.jsonl > "$W/e.jsonl"; $Q quantize models/market --to gguf:Q8_0 --search compat -o "$W/q.gguf" -q > /dev/null 2>&1
$Q eval "$W/q.gguf" --against models/market --text "$W/e.jsonl" --arith exact | grep -v perplexity
