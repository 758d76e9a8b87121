# what coding costs each linear's output, as a share of that output's energy on the calibration data
bash tests/cli/ids.sh > "$W/ids.jsonl"; A="--calib $W/ids.jsonl --seq-len 64 --accept CAL-COUNT -q --json"; M=tests/golden/zoo/llama
errors() { # linears, those without a figure; whether all lie between 0 and 1 and the total among them
  grep -o '"output_error":.*' | tee "$W/json" | grep -o '"unit":"[^"]*"'
  grep -o '"name":"[^"]*","relative_error":[^}]*' "$W/json" | sed 's/.*://' > "$W/each"
  sed 's/.*calibration data","relative_error":\([^,]*\),.*/\1/; s/"output_error":null.*/none/' "$W/json" | awk 'NR == FNR { t = $1; next }
    $1 == "null" { u++; next } { n++; if ($1 <= 0 || $1 >= 1) bad++; if (n == 1 || $1 < lo) lo = $1; if ($1 > hi) hi = $1 }
    END { print n + 0 " measured, " u + 0 " not, " (t == "none" || t == "null" ? "no total" : bad || t < lo || t > hi ? "WRONG" : "total among them") }' - "$W/each"
}
"$Q" quantize $M --to gptq:w4g32 $A -o "$W/a" 2> /dev/null | errors; grep -o '"name":"[^"]*' "$W/json" | head -3
for s in "awq:w4g32 --propagate quantized" "gptq:w3g32+asym+act_order --search compat" "awq:w4g32 --search compat" "gguf:Q4_0" "gguf:Q4_0 --search compat" bnb:nf4; do
  echo "== $s"; "$Q" quantize $M --to $s $A -o "$W/x" -f 2> /dev/null | errors; rm -rf "$W/x" "$W/x.manifest.json"; done
for i in $(seq 1 24); do printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf 7; done; printf ']}\n'; done > $W/one.jsonl
echo "== experts that no token reached"; "$Q" quantize tests/golden/zoo/mixtral --to gptq:w4g32 --calib "$W/one.jsonl" --seq-len 64 --accept CAL-DUP,CAL-RANK -q --json -o "$W/e" 2> /dev/null | errors
