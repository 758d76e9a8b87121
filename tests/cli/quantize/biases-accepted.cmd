# dropped knowingly: the artifact says so of itself
$Q quantize tests/golden/cases/09-stored-biases-unused/src --to gguf:Q8_0 -o "$W/out.gguf" --accept MOD-UNUSED > /dev/null; grep dropped "$W/out.gguf.manifest.json"
