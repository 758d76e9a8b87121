# U-05: Qwen2.5-72B, feed-forward 29568
$Q check qwen2.5-72b --to awq --engine vllm --tp 2
