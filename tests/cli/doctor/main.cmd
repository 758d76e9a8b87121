# well: one line a step
$Q quantize models/market --to gguf:Q4_0 -o $W/a.gguf -q > /dev/null 2>&1
$Q doctor models/market $W/a.gguf
