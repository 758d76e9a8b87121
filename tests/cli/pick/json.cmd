$Q pick llama-2-7b --hardware laptop-16gb --json
