#!/usr/bin/env bash
# Source E, the introduction: conventions, the 7B level table, the three methods on one model, KV savings, tiny calibration.
# usage: e.sh QUANTZ
. "$(dirname "$0")/common.sh"

say "C-27, C-28: float minimum and integer zero on the same weights"
show "$Q" explain conventions
has '0\.79 +7\.134 +7 +0\.78267'; has '1\.22 +15\.000 +15 +1\.22000'; has '0\.4 +0\.000 +0 +0\.40000'; has 'float minimum: scale 0\.0546667'
decoded() { awk -v w="$1" '/^integer zero/ { on = 1 } /^float/ { on = 0 } on && $1 == w && NF == 5 { print $2, $4 }' "$T"; }
for r in 0.4:7:0.383 0.79:14:0.765 1.22:15:0.820; do IFS=: read -r w q v <<< "$r"; set -- $(decoded $w); same "$1" $q; digits "$2" $v; done

say "C-128: the 7B level table"
show "$Q" plan llama-2-7b --formats Q2_K,Q3_K_S,Q3_K_M,Q4_K_S,Q4_K_M,Q5_K_M,Q6_K,Q8_0,F16,awq
for r in Q2_K:2.532 Q3_K_S:2.948 Q3_K_M:3.297 Q4_K_S:3.856 Q4_K_M:4.080 Q5_K_M:4.782 Q6_K:5.528 Q8_0:7.160 F16:13.477; do
  has "^gguf:${r%:*} +[0-9.]+ +${r#*:} "
done
has '^awq:w4g128 .* 3\.889 '                                    # 7B INT4 'in 3.5 to 4.5 GB'
show "$Q" explain levels; has 'Q4_K_M +4\.844 +4\.080 +4\.834 +7\.865'

say "K-25, C-119: what a quantized KV cache saves"
show "$Q" plan llama-2-7b --json --formats Q4_K_M --ctx 4096; full=$(json kv_bytes); same "$full" 2147483648
for r in q8_0:0.53125 q4_0:0.28125 fp8:0.5; do
  show "$Q" plan llama-2-7b --json --formats Q4_K_M --ctx 4096 --kv ${r%:*}
  same "$(awk -v a="$(json kv_bytes)" -v b="$full" 'BEGIN { printf "%.5g", a / b }')" ${r#*:}
done
show "$Q" plan llama-2-7b --ctx 4k,16k,32k --users 1,4 --formats Q4_K_M --kv q8_0 --memory 24GB; has 'fits'

say "three methods on one model, each loads and answers"
show "$Q" quantize $M --to gptq --calib $M/calibration.jsonl --samples 16 --seq-len 128 --without fold,descent,refit -o "$W/gptq" -q
show "$Q" quantize $M --to awq --calib $M/calibration.jsonl --samples 16 --seq-len 128 --without fold,descent,refit -o "$W/awq" -q
show "$Q" quantize $M --to Q4_K_M -o "$W/m.gguf" -q
for a in gptq awq m.gguf; do
  show "$Q" run "$W/$a" -p "Convert temperature.

75 F" --max-new 24; has '23\.9 C'
  show "$Q" explain launch "$W/$a"; has 'quantz run'
done

say "the glass box: the source's weight, its code, its byte"
show "$Q" explain "$W/m.gguf" --tensor blk.0.ffn_down --elem 17,300 --against $M
has 'code bits +byte [0-9]+'; has 'value '; has 'source '
value=$(sed -n 's/^  value *//p' "$T"); from=$(sed -n 's/^  source *\([-0-9.e]*\) .*/\1/p' "$T")
asserted=$((asserted + 1)); awk -v a="$value" -v b="$from" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(d < 0.02) }' || bad "value $value far from source $from"

say "C-10, K-34: three sentences are no calibration"
printf '%s\n' '{"text":"Quantization makes models smaller."}' '{"text":"Calibration needs varied text."}' '{"text":"Three sentences are too few."}' > "$W/three.jsonl"
fails 1 "$Q" calibrate $M --data "$W/three.jsonl" --lint; has 'CAL-RANK [0-9]+ distinct rows < 768 columns'

say "C-148: the words"
for word in quantization scale "zero point" "group size" PTQ W4A16 GPTQ AWQ GGUF Q4_K_M k-quant imatrix NF4 "double quant" FP8 E5M2 MXFP4 NVFP4 Marlin "KV cache" SmoothQuant RTN "duo scaling" calibration perplexity KL; do
  show "$Q" explain $word; asserted=$((asserted + 1)); [ "$(wc -l < "$T")" -ge 2 ] || bad "no explanation of $word"
done
finish
