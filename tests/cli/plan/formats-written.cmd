# the formats that quantize writes are formats that plan knows
$Q plan qwen3-4b --formats gptq:w4g-1,gptq:w2g64,ct:fp8_dynamic,ct:fp8_block,bnb:fp4 --ctx 1k
