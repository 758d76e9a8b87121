$Q plan llama-3-8b --memory 24Gb/s
