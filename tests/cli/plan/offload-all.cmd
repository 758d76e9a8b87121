# a small model goes to the GPU with its output layer
$Q plan llama-3-8b --offload --hardware rtx-4090 --formats Q4_K_M --json
