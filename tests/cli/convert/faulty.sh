# Made-up faults in folders of FP8 and NVFP4, by the bytes of their tensors: source this file.
# header_bytes FILE: of the JSON text. at FILE TENSOR: "OFFSET BYTES" of its data.
header_bytes() { od -An -tu8 -N8 "$1" | tr -d ' '; }
at() {
  local n span
  n=$(header_bytes "$1")
  span=$(head -c $((8 + n)) "$1" | tail -c +9 | grep -o "\"$2\":{[^}]*}" | grep -o '\[[0-9]*,[0-9]*\]}' | tr -d '[]}')
  echo $((8 + n + ${span%,*})) $((${span#*,} - ${span%,*}))
}
# names FILE SED: the header under a sed script; lengths may change.
names() {
  local n h i
  n=$(header_bytes "$1")
  h=$(head -c $((8 + n)) "$1" | tail -c +9 | sed "$2" | sed 's/ *$//')
  while [ $((${#h} % 8)) -ne 0 ]; do h="$h "; done
  {
    for i in 0 8 16 24 32 40 48 56; do printf "\\$(printf %03o $((${#h} >> i & 255)))"; done
    printf %s "$h"
    tail -c +$((9 + n)) "$1"
  } > "$1.new"
  mv "$1.new" "$1"
}
# put FILE TENSOR ESCAPED: its bytes. bytes FILE TENSOR TR TR: under tr.
put() { local a; a=$(at "$1" "$2"); printf "$3" | dd of="$1" bs=1 seek="${a% *}" conv=notrunc 2> /dev/null; }
bytes() {
  local a; a=$(at "$1" "$2")
  tail -c +$((${a% *} + 1)) "$1" | head -c "${a#* }" > "$1.part"
  tr "$3" "$4" < "$1.part" | dd of="$1" bs=4096 seek="${a% *}" oflag=seek_bytes conv=notrunc 2> /dev/null
  rm "$1.part"
}
# make_folder SCHEME DIR [OPTION …]: of models/market by plain rounding (what is tested are faults, not codes), without its manifest
make_folder() { $Q quantize models/market --to "$1" --search compat -o "$2" -q "${@:3}" > /dev/null 2>&1 && rm "$2/quantz-manifest.json"; }
said() { $Q check "$1" 2> /dev/null | grep -A3 -E '^(error|warning) +CHK-(NAMES|CONVENTION|MERGED|RANGES|INPUTS|CACHE|OPEN)' | tr -s ' '; }
calib="--calib models/market/calibration.jsonl --samples 4"
