# what llama.cpp computes otherwise, of the file (by its manifest), of a level to be made, and for engines of their own graph
"$Q" quantize tests/golden/zoo/gpt_oss --to gguf:Q8_0 -o "$W/m.gguf" --quiet > "$W/log" 2>&1
for args in "$W/m.gguf --engine llama.cpp" "tests/golden/zoo/mistral4 --to gguf:Q8_0 --engine ollama" "tests/golden/zoo/phimoe --to gguf:Q8_0 --engine lm-studio" \
            "tests/golden/zoo/qwen3_5 --to gguf:Q8_0 --engine llama.cpp" "tests/golden/zoo/gpt_oss --to gguf:Q8_0 --engine sglang"; do
  echo "== ${args#"$W"/}"; "$Q" check $args 2> "$W/log" | grep -A2 -E '^(error|warning|note) +PRE-(GRAPH|LATER|LOADER)'
done
"$Q" quantize tests/golden/zoo/qwen3_5 --to gguf:Q8_0 --engine llama.cpp -o "$W/out.gguf"
