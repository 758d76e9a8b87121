# linear scaling under its key of 2023 (llama.cpp#2772)
for f in new-key old-key; do $Q eval tests/golden/cases/17-rope-scale_linear/$f.gguf --text tests/golden/cases/17-rope-scale_linear/ids.jsonl -q | sed -n 3p; done
