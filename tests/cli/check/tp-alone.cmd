$Q check llama-3-8b --tp 2
