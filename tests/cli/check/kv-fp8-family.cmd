# an FP8 cache without calibrated scales is warned of for the families known to suffer, in check, pick and launch; not for others
for m in qwen2.5-7b llama-3.1-8b; do
  $Q check $m --engine vllm --kv fp8 2>&1 | grep -c PRE-KV-FP8
  $Q pick $m --hardware rtx-4090 --kv fp8 2>&1 | grep -c PRE-KV-FP8
done
for m in qwen2 llama; do $Q explain launch tests/golden/zoo/$m --kv fp8 | grep -c 'warning: PRE-KV-FP8'; done; true
