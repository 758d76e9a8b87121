# a folder without its manifest: one AWQ scale 16 times, and one negative; scales that AWQ moved between operations are none of it
. tests/cli/check/damage.sh; m=models/market
$Q quantize $m --to awq --search compat --calib $m/calibration.jsonl --samples 16 --seq-len 128 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG -o "$W/a" -q > /dev/null 2>&1
rm "$W"/a/*manifest.json "$W"/a.manifest.json 2> /dev/null; say "$W/a" --against $m
scale() { # WHAT: a scale of layer 3's gate
  rm -rf "$W/b"; cp -r "$W/a" "$W/b"; local f=$W/b/model.safetensors head at byte
  head=$(od -An -tu8 -N 8 "$f"); at=$(head -c $((head + 8)) "$f" | tail -c +9 | grep -o '"model.layers.3.mlp.gate_proj.scales":{[^}]*}' | grep -o 'data_offsets":\[[0-9]*' | grep -o '[0-9]*$')
  at=$((8 + head + at + 2 * 500 + 1)); byte=$(od -An -tu1 -j $at -N 1 "$f")
  case $1 in sign) byte=$((byte ^ 128)) ;; *) byte=$((byte + $1 * 4)) ;; esac
  printf "\\$(printf %03o $byte)" | dd of="$f" bs=1 seek=$at conv=notrunc 2> /dev/null
}
for what in 4 2 sign; do scale $what; echo "$what"; say "$W/b"; say "$W/b" --against $m; done
