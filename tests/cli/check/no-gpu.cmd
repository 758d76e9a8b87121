# engines that serve on GPUs, on hardware without one: one rule for check and pick
for h in laptop-16gb mac-m2-16gb; do for e in vllm sglang tgi llama.cpp; do echo "$h $e"; $Q check qwen3-4b --to awq --engine $e --hardware $h -q 2>/dev/null | grep -A2 PRE-GPU; done; done
$Q pick qwen3-4b --engine vllm --hardware laptop-16gb 2>/dev/null | head -4; $Q check qwen3-4b --to awq --engine vllm --hardware laptop-16gb > /dev/null
