$Q pick llama-4-8b --hardware h100-80gb
