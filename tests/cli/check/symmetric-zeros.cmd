# zero points of asymmetric codes under settings that call them symmetric: refused by whoever decodes, seen by check
$Q quantize tests/golden/zoo/llama --to ct:w4a16_asym+g32 --search compat -o "$W/a" -q > /dev/null 2>&1; rm "$W/a/quantz-manifest.json"; sed -i 's/"symmetric": *false/"symmetric": true/' "$W/a/config.json"
for v in verify check "explain launch"; do $Q $v "$W/a" 2>&1 | grep -A2 -E 'zero points|CHK-STRAY' | head -3 | sed "s#$W#W#g"; done
