mkdir "$W/m"; cp tests/golden/cases/text-model-300/* "$W/m"; $Q quantize "$W/m" --to gguf:Q8_0 -o "$W/out.gguf" 2>&1 | grep -i token
