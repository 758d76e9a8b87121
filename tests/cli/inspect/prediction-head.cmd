# llama.cpp's file of a model with a layer that predicts the token after the next; more such layers than blocks
F=tests/golden/mtp/glm4_moe.gguf
$Q inspect $F | grep -E 'shape|not used|MTP|keys'; $Q run $F -p '5 6 7' --max-new 4 --arith exact 2> /dev/null; $Q run tests/golden/zoo/glm4_moe -p '5 6 7' --max-new 4 --arith exact 2> /dev/null
$Q quantize $F --to gguf:Q8_0 -o "$W/q.gguf" 2>&1 | grep -E 'MTP|nextn'; $Q inspect "$W/q.gguf" | grep -E 'shape|MTP|keys'
# folders: blocks behind the last in GGUF where llama.cpp has a place for them, in 16 bits unless asked; dropped with --no-mtp
for f in qwen3_5_moe deepseek_v3; do $Q quantize tests/golden/mtp/$f --to gguf:Q8_0 -o "$W/$f.gguf" 2>&1 | grep -E 'warning.*MTP'; done
$Q quantize tests/golden/mtp/qwen3_next --to gguf:Q8_0 --no-mtp -o "$W/n.gguf" 2>&1 | grep -E 'warning.*MTP'
$Q quantize tests/golden/mtp/qwen3_next --to gguf:Q8_0 --tensor-type 'nextn=q8_0' -o "$W/t.gguf" 2>&1 | grep -E 'warning.*MTP'
$Q verify "$W/t.gguf" | head -3
cp $F "$W/b.gguf"; $Q gguf set "$W/b.gguf" glm4moe.nextn_predict_layers=3
