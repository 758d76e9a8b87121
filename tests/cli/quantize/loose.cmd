# A family that nothing here knows, coded by names and shapes alone: the tensors of a known family's model under another
# name are those of its own artifact, byte for byte, by the reference's rounding and by ours; in shards; with text, JSON and dry run.
tensors() { # FOLDER: name, type, shape and checksum of every tensor, by name
  local f n; for f in "$1"/*.safetensors; do
    n=$(od -An -tu8 -N8 "$f" | tr -d ' ')
    { tail -c +9 "$f" | head -c "$n"; echo; } | sed 's/},/\n/g' | sed -n 's/.*"\([^"]*\)":{"dtype":"\([^"]*\)","shape":\(\[[^]]*\]\),"data_offsets":\[\([0-9]*\),\([0-9]*\)\].*/\1 \2 \3 \4 \5/p' |
      while read -r name type shape a b; do echo "$name $type $shape $(tail -c +$((9 + n + a)) "$f" | head -c $((b - a)) | cksum)"; done
  done | sort
}
export COLUMNS=2000
unknown() { mkdir "$W/$1"; cp tests/golden/zoo/$1/config.json tests/golden/zoo/$1/model* "$W/$1"; sed -i -E 's/"model_type": "[^"]*"/"model_type": "zzz"/; s/"[A-Za-z0-9]*ForCausalLM"/"ZzzForCausalLM"/' "$W/$1/config.json"; }
for m in llama qwen3_moe mixtral; do unknown $m; done
same() { # MODEL SCHEME OPTION…
  "$Q" quantize tests/golden/zoo/$1 --to $2 "${@:3}" -o "$W/known" -f -q > /dev/null 2>&1 || echo "known: $?"
  "$Q" quantize "$W/$1" --to $2 "${@:3}" -o "$W/loose" -f -q > /dev/null 2>&1 || echo "loose: $?"
  tensors "$W/known" > "$W/a"; tensors "$W/loose" > "$W/b"
  cmp "$W/a" "$W/b" && echo "$* the same: $(wc -l < "$W/a") tensors"
}
same llama ct:nvfp4a16
same llama ct:nvfp4a16 --search compat
same llama bnb:nf4+double
same qwen3_moe ct:mxfp4
same mixtral fp8:block
same mixtral ct:w4a16+g32 --search compat
tr -d ' \n' < "$W/loose/config.json" | grep -o '"ignore":[^]]*]'
cmp <(tr -d ' \n' < "$W/mixtral/config.json" | sed 's/}$//; s/e-0/e-/g') <(tr -d ' \n' < "$W/loose/config.json" | sed 's/,"quantization_config".*//') && echo "nothing else is changed"
"$Q" quantize "$W/qwen3_moe" --to ct:int8 -o "$W/out" 2>&1 | sed "s#$W/##"
"$Q" quantize "$W/qwen3_moe" --to ct:int8 -o "$W/out" --resume 2>&1 | sed "s#$W/##"
"$Q" quantize "$W/qwen3_moe" --to ct:int8 -o "$W/json" -q --json | grep -o '"proof_note":"[^"]*"\|"kept":{"weights.*\|"proof_kl.*'
"$Q" quantize "$W/qwen3_moe" --to ct:int8 -o "$W/none" --dry-run | grep 'layers.0.*gate\|embed\|weights:'
"$Q" verify "$W/out" | tail -2 | sed "s#$W/##" | cut -c1-60
grep -o '"family_not_run": "[a-z]*"' "$W/out/quantz-manifest.json"
"$Q" quantize "$W/llama" --to ct:nvfp4a16 --module self_attn=fp8_dynamic --module layers.1.mlp=keep -o "$W/modules" -q 2>&1 | sed "s#$W/##" | grep weights
tr -d ' \n' < "$W/modules/config.json" | grep -o '"ignore":[^]]*]'
true
