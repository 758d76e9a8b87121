$Q plan llama-3-8b --memory 24
