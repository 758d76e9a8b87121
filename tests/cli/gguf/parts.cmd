$Q quantize models/market --to gguf:Q4_0 -o "$W/m.gguf" -q > /dev/null 2>&1
cd "$W" && $Q gguf split m.gguf p --split-max-size 1M && $Q gguf merge p-00002-of-00004.gguf back.gguf --json | sed 's/"sha256":"[0-9a-f]*"/"sha256":"…"/' && cmp m.gguf back.gguf && ls
