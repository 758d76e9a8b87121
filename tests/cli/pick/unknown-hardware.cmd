$Q pick llama-3-8b --hardware h1000
