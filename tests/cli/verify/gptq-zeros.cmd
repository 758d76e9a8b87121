# symmetric codes with the zero points of the other version (vllm#38966)
$Q verify tests/golden/cases/33-gptq-flags-against-data/zeros-8-as-v1
