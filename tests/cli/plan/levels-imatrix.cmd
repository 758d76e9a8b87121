$Q plan llama-3-70b --formats IQ4_XS,Q4_0 --imatrix yes
