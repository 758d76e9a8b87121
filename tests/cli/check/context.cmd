# a context beyond the model's own is an error, with hardware or without; within it nothing is said
$Q check llama-2-7b --ctx 64k 2> /dev/null | grep -A2 CHK-CONTEXT; $Q check llama-2-7b --hardware h100-80gb --engine vllm --ctx 4097 2> /dev/null | grep -c CHK-CONTEXT; $Q check llama-2-7b --ctx 4096
