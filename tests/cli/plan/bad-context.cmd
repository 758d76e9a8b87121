$Q plan llama-3-8b --ctx 1000000000000
