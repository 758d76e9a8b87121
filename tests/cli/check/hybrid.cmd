# linears that only some layers have
for m in qwen3_5 qwen3_next; do $Q quantize tests/golden/zoo/$m --to ct:nvfp4a16 -o "$W/$m" -q > /dev/null 2>&1; $Q check "$W/$m" --engine vllm | tail -3; done
