mkdir "$W/m"; cp tests/golden/cases/text-model-300/* "$W/m"; printf "x" > "$W/m/tokenizer.model"; $Q quantize "$W/m" --to gguf:Q8_0 -o "$W/out.gguf"
