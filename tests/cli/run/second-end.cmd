# eos_token_id is a list: the GGUF stops at the second too (llama.cpp#9606)
C=tests/golden/cases/11-second-eos-lost-in-gguf/src; $Q quantize $C --to gguf:F16 -o "$W/m.gguf" -q > /dev/null
for m in $C "$W/m.gguf"; do $Q run "$m" --raw -p hi -n 12 --json -q | sed 's/,"ttft.*//'; done; $Q diff $C "$W/m.gguf" -q | tail -1
