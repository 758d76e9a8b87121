# pick vector 14
$Q check gpt-oss-20b --to gguf:Q4_K_M --engine llama.cpp
