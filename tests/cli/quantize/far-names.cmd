# a word that is like none is not given a name; a known scheme names its own levels
for to in xyzzy ct:q4 gguf:Q4_K_X awq:w4g-1 gptq:w5; do $Q quantize tests/golden/zoo/qwen2 --to $to -n 2>&1; done | cat
