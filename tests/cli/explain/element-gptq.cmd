$Q quantize models/market --to gptq --propagate original --without fold,descent,refit,norms --calib models/market/calibration.jsonl --samples 8 -o "$W/m" -q > /dev/null
$Q explain "$W/m" --tensor model.layers.0.mlp.up_proj --elem 9,130 > "$W/text"
at=$(sed -n "s/.*word  *byte \([0-9]*\):.*/\1/p" "$W/text"); shift=$(sed -n "s/.*code bits  *\([0-9]*\) to.*/\1/p" "$W/text"); code=$(sed -n "s/.*code bits.*: \([0-9]*\)$/\1/p" "$W/text")
word=$(od -An -tu4 -j "$at" -N 4 "$W/m/model.safetensors"); [ $(((word >> shift) & 15)) = "$code" ] && echo same
