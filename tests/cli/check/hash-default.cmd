# with a manifest a changed byte is found by default, whatever it means; --quick leaves the hashes out
. tests/cli/check/damage.sh
$Q quantize models/market --to gguf:Q8_0 --search compat -o "$W/c.gguf" -q > /dev/null 2>&1; say "$W/c.gguf"
damage "$W/c.gguf" blk.3.attn_v.weight 34 0 100 0; n=$(stat -c %s "$W/c.gguf"); printf '\001' | dd of="$W/c.gguf" bs=1 seek=$((n - 5)) conv=notrunc 2> /dev/null
say "$W/c.gguf" | sed 's/[0-9a-f]\{12,\}/N/g'; say "$W/c.gguf" --quick
