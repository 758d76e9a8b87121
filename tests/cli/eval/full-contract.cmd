# a format that servers run with rounded inputs: KL of the weights alone, and of the full contract beside it; in JSON too
head -4 models/market/eval.jsonl > "$W/e.jsonl"; for l in int8 mxfp4 nvfp4a16; do $Q quantize models/market --to ct:$l --search compat -o "$W/$l" -q > /dev/null 2>&1; done
kl() { $Q eval "$W/$1" --against models/market --text "$W/e.jsonl" $2 | sed -n "/^$1/,\$p" | grep -E "^$1|KL diver|full contract|runtime KL"; }
for l in int8 mxfp4 nvfp4a16; do kl $l; done
$Q eval "$W/int8" --against models/market --text "$W/e.jsonl" --json | grep -oE '"(precision|runtime|exact)_contract":[^,}]*|"runtime_inputs":[^,}]*'
# more than the weights lose, and the same figure as in runtime arithmetic alone
$Q eval "$W/int8" --against models/market --text "$W/e.jsonl" --json | sed -nE 's/.*"kl":([0-9.e-]+),"kl_low.*"runtime_kl":([0-9.e-]+).*/\1 \2/p' > "$W/both"
$Q eval "$W/int8" --against models/market --text "$W/e.jsonl" --arith runtime --json | sed -nE 's/.*"kl":([0-9.e-]+),"kl_low.*/\1/p' | paste "$W/both" - | awk '{ print ($2 > $1 ? "more" : "no more"), ($2 == $3 ? "equal" : "not equal") }'
# NVFP4 with inputs under a scale of the batch (none is stored): W4A4
sed -i 's/"input_activations": *null/"input_activations":{"num_bits":4,"type":"float","symmetric":true,"group_size":16,"strategy":"tensor_group","dynamic":true,"scale_dtype":"torch.float8_e4m3fn"}/' "$W/nvfp4a16/config.json"; kl nvfp4a16
