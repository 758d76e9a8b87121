# Rows that no block type of GGUF holds would stay float without a rule, more than 1 % of the weights: refused before any work, also by
# --dry-run; taken knowingly it is a warning, and the manifest counts them. What a rule or an option keeps (bnb: the embedding) is not meant.
"$(dirname "$Q")/tests/gen_model" "$W/m" --shape case --ffn 100 --sigma 0.05 > /dev/null
cd "$W" || exit 9
for o in -q --dry-run; do "$Q" quantize m --to gguf:Q4_0 -o out.gguf $o 2>&1; echo "exit $?"; done
"$Q" convert m --to gguf:Q8_0 -o out.gguf --lossy 2>&1; echo "exit $?"
ls out.gguf* 2> /dev/null
"$Q" quantize m --to gguf:Q4_0 -o o.gguf --accept MOD-FLOAT 2>&1 | grep 'MOD-FLOAT\|weights:'
grep -o '"without_rule":[0-9 ]*' o.gguf.manifest.json
"$Q" quantize m --to bnb:nf4 -o b -q > /dev/null 2>&1; echo "exit $?"
"$Q" quantize m --to gguf:Q4_0 -o o2.gguf --accept MOD-FLOATS
