# the byte that is named holds the code: read again with od
$Q quantize models/market --to awq --propagate original --without fold,descent,refit,norms --calib models/market/calibration.jsonl --samples 8 -o "$W/m" -q > /dev/null
$Q explain "$W/m" --tensor model.layers.0.mlp.down_proj --elem 17,300 > "$W/text"
at=$(sed -n "s/.*word  *byte \([0-9]*\):.*/\1/p" "$W/text"); shift=$(sed -n "s/.*code bits  *\([0-9]*\) to.*/\1/p" "$W/text"); code=$(sed -n "s/.*code bits.*: \([0-9]*\)$/\1/p" "$W/text")
word=$(od -An -tu4 -j "$at" -N 4 "$W/m/model.safetensors"); [ $(((word >> shift) & 15)) = "$code" ] && echo same; grep -c "zero point" "$W/text"
