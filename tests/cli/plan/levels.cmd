$Q plan llama-3-8b --levels
