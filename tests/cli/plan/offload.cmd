$Q plan llama-3-70b --offload --memory 8GB --formats Q4_K_M,Q2_K
