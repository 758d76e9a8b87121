# nothing to continue: from the start, and the same bytes
$Q convert tests/golden/zoo/llama --to gptq:w4g32 --lossy -o "$W/out" -q --resume | head -2 && $Q convert tests/golden/zoo/llama --to gptq:w4g32 --lossy -o "$W/out2" -q > /dev/null && cmp "$W/out/model.safetensors" "$W/out2/model.safetensors" && echo equal
