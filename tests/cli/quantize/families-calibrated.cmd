# Codes of 8 bits made with calibration hardly change a model, whatever its blocks are: a norm, a scale or a row out of place would.
# (qwen3_5: what stays float behind a changed norm once was divided by the stored gain instead of the one that multiplies.)
for i in $(seq 1 24); do
  printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(((i * i * 31 + k * k * 7 + i * k) % 256)); done; printf ']}\n'
done > "$W/ids.jsonl"
for m in llama qwen3_moe gemma3 phi3 gpt_oss glm4_moe phimoe llama4 deepseek_v3 mistral4 ministral3 olmo2 olmo3 cohere2 opt qwen3_5 qwen3_5_moe qwen3_next gemma4 gemma4-moe; do
  [ -d tests/golden/zoo/$m ] || continue
  for to in ct:w8a16+g16 ct:fp8_dynamic; do
    "$Q" quantize tests/golden/zoo/$m --to $to -o "$W/o" -q --calib "$W/ids.jsonl" --seq-len 64 --samples 24 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG > "$W/log" 2>&1 || { echo "$m $to: $(grep -m1 'error' "$W/log" | cut -c1-70)"; continue; }
    "$Q" eval "$W/o" --against tests/golden/zoo/$m --text "$W/ids.jsonl" --json -q 2> /dev/null |
      awk -v m="$m $to" '/"kl":/ { match($0, /"kl":[0-9.e+-]+/); kl = substr($0, RSTART + 5, RLENGTH - 5) + 0; bound = index(m, "fp8") ? 0.4 : 0.1; print m ": KL " (kl < bound ? "below " bound : "is " kl) }'
    rm -rf "$W/o"
  done
done
