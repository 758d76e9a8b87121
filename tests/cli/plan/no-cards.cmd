# cards share a model, machines without one do not; two views at once
for v in "plan" "pick" "check --engine llama.cpp"; do $Q $v qwen3-4b --tp 4 --hardware mac-m2-16gb 2>&1 > /dev/null | cut -c1-120; done; $Q pick qwen3-4b --tp 4 --hardware laptop-16gb > /dev/null 2>&1; echo $?
$Q plan qwen3-4b --job --speed --hardware h100
