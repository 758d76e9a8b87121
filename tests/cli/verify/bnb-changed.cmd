$Q quantize models/market --to bnb:nf4 -o "$W/m" -q > /dev/null && printf x | dd of="$W/m/model.safetensors" bs=1 seek=3000000 conv=notrunc 2>/dev/null; $Q verify "$W/m"
