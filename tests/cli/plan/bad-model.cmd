$Q plan llama-3-7b
