# damage FILE TENSOR BLOCK_BYTES SCALE_AT BLOCK WHAT: the float16 scale of one block gets another exponent (+4: 16 times) or sign
damage() {
  local at byte
  at=$($Q inspect "$1" --tensors --json -q | grep "\"tensor\":\"$2\"" | grep -o '"offset":[0-9]*' | cut -d: -f2)
  at=$((at + $3 * $5 + $4 + 1)); byte=$(od -An -tu1 -j $at -N 1 "$1")
  case $6 in sign) byte=$((byte ^ 128)) ;; *) byte=$((byte + $6 * 4)) ;; esac
  printf "\\$(printf %03o $byte)" | dd of="$1" bs=1 seek=$at conv=notrunc 2> /dev/null
}
say() { $Q check "$@" 2> /dev/null | grep -A1 'CHK-\(STEP\|SOURCE\|SCALE\|HASH\)' | tr -s ' ' | sed 's#found [0-9a-f]*#found N#'; echo "exit ${PIPESTATUS[0]}"; }
