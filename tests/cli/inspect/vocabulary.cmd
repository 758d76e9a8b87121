# a GGUF file with a vocabulary alone, and one of an architecture that is none of ours
$Q inspect tests/golden/cases/vocabulary-alone.gguf; sed 's/llama/lstmx/g' tests/golden/cases/17-rope-scale_linear/old-key.gguf > "$W/x.gguf"; $Q inspect "$W/x.gguf"; $Q inspect "$W/x.gguf" --tensors | head -3; $Q inspect "$W/x.gguf" --json
