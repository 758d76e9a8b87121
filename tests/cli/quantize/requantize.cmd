# case 26: coded weights coded again are said, by check's own rule; back to floats, or the same codes, is no requantization
cp -r tests/golden/cases/01-output-is-input/src "$W/src"; cd "$W" || exit 9
"$Q" quantize src --to gguf:Q4_0 -o q4.gguf -q > /dev/null 2>&1; "$Q" quantize src --to bnb:nf4 -o nf4 -q > /dev/null 2>&1
t() { "$Q" "$@" -q 2>&1 > /dev/null | grep REQUANT; echo "$1 $2 $4: rc ${PIPESTATUS[0]}"; }
t quantize q4.gguf --to gguf:Q2_K -o a.gguf --allow-requantize
t quantize q4.gguf --to gguf:Q2_K --dry-run --allow-requantize
t quantize nf4 --to gguf:Q8_0 -o b.gguf
t quantize q4.gguf --to gguf:F16 -o c.gguf
t quantize src --to gguf:Q2_K -o d.gguf
t convert q4.gguf --to gguf:Q4_1 --lossy -o e.gguf
t convert q4.gguf --to gguf:Q2_K --lossy -o f.gguf
t release q4.gguf --to gguf:Q4_K_M --no-bench -o r
for to in Q2_K F16; do "$Q" check q4.gguf --to gguf:$to 2>&1 | grep -c CHK-REQ; done
true
