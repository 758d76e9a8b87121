mkdir "$W/m"; cp tests/golden/cases/text-model-300/* "$W/m"; ln -s ../../blobs/0123456789abcdef "$W/m/tokenizer.json"; $Q quantize "$W/m" --to gguf:Q8_0 -o "$W/out.gguf"
