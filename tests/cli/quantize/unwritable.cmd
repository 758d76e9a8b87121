# /proc takes no files, not even from root
$Q quantize models/market --to gguf:Q8_0 -o /proc/out.gguf
