# a built-in shape where weights are needed is told as such
for v in 'run qwen3-4b -p x' 'eval models/market --against llama-3-8b --text models/market/eval.jsonl' 'explain launch qwen3-4b' 'quantize qwen3-4b --to Q4_K_M -o x.gguf'; do $Q $v -q 2>&1 | tail -1; done; $Q bench qwen3-4b
