# scales that AWQ moved are recognized in every mode, also in a container that knows nothing of AWQ: what is left is of the size of rounding and feedback
c="--calib models/market/calibration.jsonl --samples 16 --seq-len 128 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG"
for sp in "best original" "best quantized" "compat original"; do # compat runs the float model whatever is asked
  s=${sp% *} p=${sp#* }
  $Q quantize models/market --to awq $c --search $s --propagate $p -o "$W/awq" -q > /dev/null 2>&1 || echo "no artifact"
  for order in "models/market $W/awq" "$W/awq models/market"; do
    $Q diff $order --json > "$W/d.json"; $Q diff $order > "$W/d"
    rms=$(grep -o '"rms":[0-9.]*' "$W/d.json" | cut -d: -f2); folds=$(grep -o '"folds":[0-9]*' "$W/d.json" | cut -d: -f2)
    awk -v m="$s $p" -v r="$rms" -v f="$folds" 'BEGIN { print m ": " (r < 0.14 ? "rms small" : "rms " r) ", " (f > 5 ? "folds found" : f " folds") }'
    grep -c "moved from one operation" "$W/d"; grep -c 'down_proj.weight \*' "$W/d"
  done
  $Q convert "$W/awq" --to gptq -o "$W/g" -q > /dev/null 2>&1; $Q diff models/market "$W/g" | grep -c "moved from one operation"; rm -rf "$W/awq" "$W/g"*
done
# nothing is called folded where nothing was moved: rounding alone, down to two bits
for t in gguf:Q2_K gguf:Q4_0 bnb:nf4; do $Q quantize models/market --to $t --search compat -o "$W/x" -q > /dev/null 2>&1; $Q diff models/market "$W/x" --json | grep -o '"folds":[0-9]*,"folded":[0-9]*'; rm -rf "$W/x"*; done
