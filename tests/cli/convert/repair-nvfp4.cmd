# k_proj under half the global scale, its block scales half too: the same numbers, which a server reads wrongly; mended they are
# the same numbers again
. tests/cli/convert/faulty.sh; make_folder ct:nvfp4a16 "$W/m" --search compat; cp -r "$W/m" "$W/bad"; f=$W/bad/model.safetensors; k=model.layers.0.self_attn.k_proj
a=$(at "$f" $k.weight_global_scale); byte=$(od -An -tu1 -j $((${a% *} + 2)) -N 2 "$f"); set -- $byte
v=$((($2 << 8 | $1) - 128)) # one exponent down
put "$f" $k.weight_global_scale "\\0\\0\\$(printf %03o $((v & 255)))\\$(printf %03o $((v >> 8)))"; bytes "$f" $k.weight_scale '\020-\176' '\010-\166'
$Q diff "$W/m" "$W/bad" | tail -2; said "$W/bad"; $Q convert "$W/bad" --repair -o "$W/out" | grep -v bytes; said "$W/out"; $Q diff "$W/m" "$W/out" | tail -2
