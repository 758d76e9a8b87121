# the reason and the line 'speed' come from one model of the machine
for u in 4 64; do $Q pick llama-3.3-70b --engine vllm --hardware a100-80gb --tp 2 --users $u --ctx 2048 -q 2>/dev/null | tr -s ' \n' ' ' | grep -oE 'rule F-[A-Z0-9-]+|bound by [a-z]+(; by operations)?'; done
$Q pick qwen3-4b --hardware rtx-4090 --users 8 2>/dev/null | grep -c PRE-FP16; $Q check qwen3-4b --to awq --engine sglang --cc 7.5 -q 2>/dev/null | grep -c PRE-FP16
$Q pick llama-3-8b --hardware h100 --users 64 --json 2>/dev/null | grep -oE '[ ",][CU]-[0-9]+[",]' | wc -l; $Q explain L-W4 | grep answer
