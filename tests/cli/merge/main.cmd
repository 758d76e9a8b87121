Z=tests/golden/zoo/llama L=tests/golden/lora
$Q merge $Z $L/llama-plain $L/llama-rslora:0.5 -o "$W/out" && $Q inspect "$W/out" | head -4 && ls "$W/out" && $Q verify "$W/out" | tail -1
