# structure and values of what does not run
sed 's/llama/lstmx/g' tests/golden/cases/17-rope-scale_linear/old-key.gguf > "$W/x.gguf"; $Q verify "$W/x.gguf"; $Q verify tests/golden/cases/vocabulary-alone.gguf; $Q verify models/market/model.safetensors
