# one bit of one weight
$Q quantize models/market --to gguf:Q8_0 -o "$W/m.gguf" -q > /dev/null && printf "\125" | dd of="$W/m.gguf" bs=1 seek=4000001 conv=notrunc status=none && $Q verify "$W/m.gguf"
