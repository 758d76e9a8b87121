mkdir "$W/m"; cp tests/golden/zoo/llama/*.json tests/golden/zoo/llama/model-00002* "$W/m"; $Q quantize "$W/m" --to gguf:Q8_0 -o "$W/out.gguf"
