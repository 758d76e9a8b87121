# what is usable does not depend on users; buffers and total are said; pick, plan and check agree on two cards
for u in 1 64 400; do $Q check qwen3-4b --to awq --engine vllm --hardware rtx-4060 --users $u -q 2>/dev/null | tr -d '\n' | grep -oE 'memory: .* usable'; done
$Q check llama-3-70b --to awq:w4g64 --engine vllm --tp 2 --hardware rtx-4090 --kv bf16 --json -q 2>/dev/null | grep -oE '"(weight|kv|buffer|total|usable)_bytes":[0-9]+' | tr '\n' ' '; echo
$Q pick llama-3-70b --engine vllm --tp 2 --hardware rtx-4090 --kv bf16 --json -q 2>/dev/null | grep -oE '"(level|weight_bytes|kv_bytes|buffer_bytes|total_bytes|usable_bytes)":[^,]+' | tr '\n' ' '; echo
$Q plan llama-3-70b --formats awq:w4g64 --tp 2 --hardware rtx-4090 --json -q | grep -oE '"(total_with_buffers|per_device|usable)_bytes":[0-9]+' | tr '\n' ' '; echo
