$Q plan llama-3-8b --ctx 0
