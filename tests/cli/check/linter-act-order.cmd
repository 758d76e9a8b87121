# U-37
$Q check llama-3-8b --to gptq:w4g128+asym+act_order --engine vllm
