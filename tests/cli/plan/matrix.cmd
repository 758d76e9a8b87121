$Q plan --matrix 1,3,7,13,34,70 --hardware rtx-4090 --formats bf16,fp8,awq,Q4_K_M,ct:mxfp4,bnb:nf4
