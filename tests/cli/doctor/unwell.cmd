# the first wrong step in the error line, all of them in the table and in JSON
$Q quantize models/market --to gguf:Q4_0 -o $W/a.gguf -q > /dev/null 2>&1
$Q gguf set $W/a.gguf qwen3.rope.freq_base=500 qwen3.attention.layer_norm_rms_epsilon=0.01 > /dev/null
$Q doctor models/market $W/a.gguf --json 2> /dev/null | grep -o '"healthy".*"cause":"[^"]*"'
$Q doctor models/market $W/a.gguf
