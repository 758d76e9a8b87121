# settings that nothing reads: verify says what run says; check and --repair too. The same of a family that does not run here, by its settings and codes alone
. tests/cli/convert/faulty.sh
"$Q" quantize tests/golden/zoo/llama --to ct:fp8_dynamic --search compat -o "$W/m" -q > "$W/log" 2>&1
"$Q" quantize tests/golden/zoo/llama --to fp8:block --search compat -o "$W/b" -q > "$W/log" 2>&1
rm "$W"/[mb]/quantz-manifest.json; for d in m b; do tr -d '\n ' < "$W/$d/config.json" > "$W/$d.json"; done
try() {
  "$Q" verify "$W/$1" -q 2> "$W/log" | grep -E 'FAILED|^codes'; echo "verify ${PIPESTATUS[0]}"; tail -1 "$W/log" | grep -q '^quantz: error: verification failed' || tail -1 "$W/log" | cut -c1-150 | sed "s#$W#W#g"
  "$Q" check "$W/$1" --quick 2> "$W/log" | grep -A1 -E 'CHK-(OPEN|NONFINITE)'; echo "check ${PIPESTATUS[0]}"
  "$Q" convert "$W/$1" --repair -o "$W/out" -n -q > "$W/log" 2>&1; echo "repair $?"; cut -c1-150 "$W/log" | sed "s#$W#W#g"
}
edit() { echo "== $1 $2"; sed "$2" "$W/$1.json" > "$W/$1/config.json"; cmp -s "$W/$1.json" "$W/$1/config.json" && echo unchanged; try "$1"; }
other='s/"model_type":"llama"/"model_type":"lstmx"/'
for e in 's/"strategy":"channel"/"strategy":"bogus"/' 's/"num_bits":8/"num_bits":4/' 's/"quantization_config":{.*}},"rope/"rope/' \
         's/"quantization_config":{/&"sparsity_config":{"format":"sparse-24-bitmask"},/' "$other;s/:\"channel\"/:\"bogus\"/" "$other"; do edit m "$e"; done
edit b 's/\[128,128\]/[0,128]/'; edit b 's/\[128,128\]/[-128,128]/'; edit b "$other;s/128,128/0,128/"
put "$W/b/model.safetensors" model.layers.0.self_attn.q_proj.weight '\177'; edit b "$other"
