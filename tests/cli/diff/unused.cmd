# tensors that nothing uses: equal, other values, one-sided; buffers and copies count between containers of one kind
M=tests/golden/cases/09-stored-biases-unused/src; mkdir "$W/b"; cp $M/* "$W/b"
$Q diff $M "$W/b" --strict --accept MOD-UNUSED -q > /dev/null 2> "$W/e"; echo "rc $?"
printf '\1\1' | dd of="$W/b/model.safetensors" bs=1 seek=23160 conv=notrunc status=none
$Q diff $M "$W/b" --strict --accept MOD-UNUSED -q 2> "$W/e"; echo "rc $?"; cat "$W/e"
$Q diff tests/golden/cases/unused-buffers tests/golden/cases/text-model --strict -q 2> "$W/e"; echo "rc $?"; cat "$W/e"
$Q quantize tests/golden/cases/unused-buffers --to gguf:F32 -o "$W/m.gguf" -q > /dev/null; $Q diff tests/golden/cases/unused-buffers "$W/m.gguf" --strict -q 2> "$W/e"; echo "rc $?"
$Q quantize $M --to gguf:F32 --accept MOD-UNUSED -o "$W/u.gguf" -q > /dev/null 2> "$W/e"; $Q diff $M "$W/u.gguf" --strict --accept MOD-UNUSED -q
