# the budget of a card is that of an engine, by name, the same in pick, check and launch; without --ctx the same context
for e in vllm llama.cpp; do $Q plan qwen3-4b --hardware rtx-4060 --engine $e --formats Q4_K_M | grep -A3 device; $Q check qwen3-4b --to gguf:Q4_K_M --hardware rtx-4060 --engine $e 2> /dev/null | grep ^memory; done
$Q plan models/market --formats Q4_K_M | grep 'KV cache'; $Q plan qwen3-4b --formats Q4_K_M | grep 'KV cache'
