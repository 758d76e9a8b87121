# gpt-oss as released: experts go to GGUF bit for bit (hashes of llama.cpp's converter), all else as it is; its other way into
# MXFP4_MOE codes the rest in Q8_0, and other levels code the experts again, which is said.
z=tests/golden/zoo/gpt_oss-mxfp4
export COLUMNS=400
same() { # FILE: tensors whose bytes have the reference's hash
  "$Q" inspect "$1" --tensors -q > "$W/list"
  grep '^tensor' $z/gguf.tsv | while IFS=$'\t' read -r _ name _ _ _ _ sha; do
    read -r offset bytes < <(awk -v n="$name" '$1 == n { print $(NF - 2), $(NF - 1) }' "$W/list")
    [ "$(tail -c +$((offset + 1)) "$1" | head -c "$bytes" | sha256sum | cut -c1-12)" = "$sha" ] && echo "$name"
  done | wc -l
}
"$Q" convert $z --to gguf:MXFP4_MOE -o "$W/c.gguf" 2>&1 | grep 'warning\|weights\|exact'
grep -c '^tensor' $z/gguf.tsv; same "$W/c.gguf"
"$Q" quantize $z --to gguf:MXFP4_MOE -o "$W/q.gguf" 2>&1 | grep 'warning\|weights'
same "$W/q.gguf"
"$Q" inspect "$W/q.gguf" --tensors -q | grep 'exps.weight'
"$Q" quantize $z --to gguf:Q4_0 -o "$W/r.gguf" 2>&1 | grep 'REQUANT'
"$Q" inspect $z | head -4
"$Q" check $z 2>&1 | grep -v '^  ' | head -20
sed 's/"num_local_experts": 5/"num_local_experts": 4/' $z/config.json > "$W/config.json"; mkdir "$W/bad"; cp $z/model.safetensors "$W/bad"; cp "$W/config.json" "$W/bad"
"$Q" inspect "$W/bad" 2>&1 | grep error
true
