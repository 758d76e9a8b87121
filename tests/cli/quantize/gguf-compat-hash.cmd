# compat mode: the reference's own tensor bytes, so the file may not change
$Q quantize models/market --to gguf:Q4_K_M --search compat -o "$W/out.gguf" -q > /dev/null && tail -c 4000000 "$W/out.gguf" | sha256sum
