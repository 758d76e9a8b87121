# an adapter of another model
for m in llama qwen2; do "$Q" check tests/golden/zoo/$m --lora tests/golden/lora/llama-plain 2> "$W/log" | grep -A6 CHK-OPEN; echo "$m: $?"; done
