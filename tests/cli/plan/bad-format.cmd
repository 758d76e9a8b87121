$Q plan llama-3-8b --formats Q4_KM
