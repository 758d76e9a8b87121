$Q plan models/market --exact --formats Q4_K_M,F16,IQ4_XS
