$Q check llama-3-8b --workload talking
