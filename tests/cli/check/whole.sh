# whole FILE TENSOR TYPE WHAT: all values of a safetensors tensor of floats: their exponents get WHAT more (1: a factor of two), or WHAT "sign": the other sign. one FILE TENSOR TYPE WHAT: its second value alone.
change() { # FILE TENSOR TYPE WHAT FIRST COUNT
  local head text at size width
  head=$(od -An -tu8 -N 8 "$1"); text=$(head -c $((head + 8)) "$1" | tail -c +9 | grep -o "\"$2\":{[^}]*}")
  at=$(echo "$text" | grep -o 'data_offsets":\[[0-9]*' | grep -o '[0-9]*$'); size=$(echo "$text" | grep -o ',[0-9]*\]}' | grep -o '[0-9]*')
  width=2; [ "$3" = F32 ] && width=4
  size=$((size - at)); at=$((8 + head + at + width * $5)); [ "$6" -gt 0 ] && size=$((width * $6))
  tail -c +$((at + 1)) "$1" | head -c $size | od -v -An -tu1 -w$width | LC_ALL=C awk -v what="$4" -v width=$width -v type="$3" '
    { v = $width * 256 + $(width - 1); step = type == "F16" ? 1024 : 128
      if (what == "sign") v = v >= 32768 ? v - 32768 : v + 32768
      else v += what * step
      for (i = 1; i < width - 1; i++) printf "%c", $i
      printf "%c%c", v % 256, int(v / 256) }' > "$1.part"
  dd if="$1.part" of="$1" bs=1 seek=$at conv=notrunc 2> /dev/null; rm "$1.part"
}
whole() { change "$1" "$2" "$3" "$4" 0 0; }
one() { change "$1" "$2" "$3" "$4" 1 1; }
