$Q explain awq-gptq
