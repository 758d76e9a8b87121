# buffers pass with a count
$Q quantize tests/golden/cases/unused-buffers --to gguf:F16 -o "$W/out.gguf" > /dev/null; $Q inspect "$W/out.gguf" -q | sed -n 1,2p
