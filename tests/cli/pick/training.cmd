$Q pick llama-3-8b --hardware t4 --workload training
