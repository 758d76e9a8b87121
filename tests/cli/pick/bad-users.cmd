$Q pick llama-3-8b --hardware h100-80gb --users many
