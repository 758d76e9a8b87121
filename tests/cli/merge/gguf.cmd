# the adapter as a GGUF file (F32) holds it: the same bytes as of the folder
Z=tests/golden/zoo/llama L=tests/golden/lora/llama-rslora
$Q convert $L --to gguf --base $Z -o "$W/a.gguf" -q > /dev/null; $Q merge $Z $L -o "$W/a" -q > /dev/null; $Q merge $Z "$W/a.gguf" -o "$W/b"; for f in "$W"/a/*.safetensors; do cmp "$f" "$W/b/$(basename "$f")" && echo same; done
