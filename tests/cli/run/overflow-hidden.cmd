# what integer products and norms would hide: a packed product rounds NaN away, squares beyond float32 make a norm 0. Norm gains of one
# GGUF file become 2^40 (their product overflows in the next norm) and 2^126
"$Q" quantize models/market --to gguf:Q8_0 --search compat -o "$W/a.gguf" -q > /dev/null 2>&1; cd "$W" || exit 9
t() { # TENSOR BYTES
  cp a.gguf b.gguf; at=$("$Q" inspect a.gguf --tensors | awk -v t="$1" '$1 == t {print $5}'); n=$("$Q" inspect a.gguf --tensors | awk -v t="$1" '$1 == t {print $4}')
  printf "$2%.0s" $(seq 1 "$n") | dd of=b.gguf bs=65536 seek="$at" oflag=seek_bytes conv=notrunc status=none
  for a in exact runtime; do
    "$Q" run b.gguf -p hello -n 4 --arith $a -q 2>&1; echo "run $1 $a: rc $?"
    "$Q" eval b.gguf --text "$OLDPWD/models/market/eval.jsonl" --windows 1 --arith $a -q 2>&1; echo "eval $1 $a: rc $?"
  done
}
t blk.3.ffn_norm.weight '\0\0\200\123'
t blk.5.ffn_norm.weight '\0\0\200\123'
t blk.2.attn_norm.weight '\0\0\200\176'
t output_norm.weight '\0\0\200\176'
