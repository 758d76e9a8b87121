# the bytes of --exact are the bytes of the file
$Q plan models/market --exact --formats Q4_K_M,Q8_0,Q2_K --json > "$W/plan"
for l in Q4_K_M Q8_0 Q2_K; do $Q quantize models/market --to gguf:$l -o "$W/m.$l.gguf" -q > /dev/null; grep -o "gguf:$l\".*file_bytes\":$(stat -c %s "$W/m.$l.gguf")," "$W/plan" | grep -c file_bytes; done
