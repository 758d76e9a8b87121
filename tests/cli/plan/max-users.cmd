$Q plan llama-3-70b --ctx 2048 --hardware h100 --reserve 10 --overhead 2GB --kv fp8 --formats awq,fp8:tensor,ct:nvfp4
