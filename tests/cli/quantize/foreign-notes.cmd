# what llama.cpp will compute differently: one warning each
for s in yarn-betas metaspace-first lstrip; do $Q quantize tests/golden/cases/19-what-llama.cpp-will-not-do-unsaid/$s --to gguf:F16 -o "$W/$s.gguf" > /dev/null; done
