$Q plan qwen3-4b --json --formats awq,Q4_K_M --hardware mac-m2-16gb
