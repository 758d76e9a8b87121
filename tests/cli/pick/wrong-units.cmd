$Q pick llama-3-8b --memory 24
