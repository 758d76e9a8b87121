# one scale for a merged matrix: its parts are coded with feedback under the scale that they share
bash tests/cli/ids.sh > $W/ids.jsonl
for to in ct:fp8 modelopt:fp8 fp8:tensor; do
  $Q quantize tests/golden/zoo/phi3 --to $to --calib $W/ids.jsonl --seq-len 64 --accept CAL-COUNT,CAL-DUP -o $W/p -f -q > $W/o 2>&1; echo "$to $? $(grep -c 'rounded to nearest' $W/o)"
  $Q verify $W/p | grep -E '^decode'
done
