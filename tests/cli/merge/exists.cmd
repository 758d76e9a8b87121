mkdir "$W/out"; echo mine > "$W/out/notes"; $Q merge tests/golden/zoo/llama tests/golden/lora/llama-plain -o "$W/out" --force; code=$?; cat "$W/out/notes"; rm -r "$W/out"; exit $code
