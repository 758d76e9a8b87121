$Q plan llama-3-8b --formatz awq
