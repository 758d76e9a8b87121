$Q plan llama-3-8b --job --disk 100GB --formats Q4_K_M,awq -t 2 --json | sed -E 's/"memory_bytes":[0-9]+/"memory_bytes":0/'
