# a machine by its size, a card by size and capability, this machine; layers beside a card; adapters and the type of the floats
$Q check llama-3-8b --to awq --engine vllm --memory 24GB --cc 8.6 | grep -A1 -E '^memory|on a|8\.6|errors'
$Q check llama-3-8b --to gguf:Q4_K_M --engine llama.cpp --memory 6GiB 2> /dev/null | grep -A1 -E '^memory|^error'
$Q check qwen3-0.6b --to gguf:Q8_0 --hardware this | grep -cE '^memory|this machine'
$Q check llama-3-70b --to gguf:Q4_K_M --engine llama.cpp --hardware rtx-4060 --ram 32GB --kv q8_0 2> /dev/null | grep -A4 '^error'
$Q check llama-3-70b --to gguf:Q4_K_M --engine llama.cpp --hardware rtx-4060 --ram 64GB --kv q8_0 | grep -E '^memory|^error|errors'
$Q check llama-3-8b --to awq --engine vllm --loras 4 2> /dev/null | grep -A1 CHK-LORA
$Q check qwen3-0.6b --hardware t4 --engine vllm 2> /dev/null | grep '^error'; $Q check qwen3-0.6b --hardware t4 --engine vllm --dtype float16 | grep errors
$Q check qwen3-0.6b --dtype half
