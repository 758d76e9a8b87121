$Q check llama-3-8b --engine vlmm
