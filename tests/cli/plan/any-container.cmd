# sizes are all that can be planned of it
sed 's/llama/lstmx/g' tests/golden/cases/17-rope-scale_linear/old-key.gguf > "$W/x.gguf"; $Q plan "$W/x.gguf" | head -6; $Q plan tests/golden/cases/vocabulary-alone.gguf --json
