$Q pick llama-3-8b --memory 24GB --cc 8.6 | head -4
