# what does not fit says why in its row, and the others are there: 80 columns
m=tests/golden/zoo/gemma2
$Q plan $m --formats awq,gptq:w4g-1,gptq:w3g-1,Q4_0 --ctx 4k,32k
$Q plan $m --formats awq,Q4_0 --ctx 4k --users 1,2 --json
$Q plan $m --formats awq,Q4_0 --speed --hardware h100
$Q plan $m --formats Q1_0,Q4_0 --offload --memory 1GB --json
$Q plan $m --formats awq,Q4_0 --job --disk 1GB
