# one 4-bit code changed and no manifest that would tell
Z=tests/golden/zoo/qwen3
$Q quantize $Z --to gguf:Q4_0 -o $W/a.gguf -q > /dev/null
rm $W/a.gguf.manifest.json
size=$(stat -c %s $W/a.gguf)
byte=$(od -An -tu1 -j $((size - 1200)) -N1 $W/a.gguf)
printf "\\x$(printf %x $((byte ^ 16)))" | dd of=$W/a.gguf bs=1 seek=$((size - 1200)) conv=notrunc status=none
$Q verify $W/a.gguf --rederive all --source $Z
