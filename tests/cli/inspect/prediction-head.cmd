# llama.cpp's file of a model with a layer that predicts the token after the next; more such layers than blocks
F=tests/golden/mtp/glm4_moe.gguf
$Q inspect $F | grep -E 'shape|not used|MTP|keys'; $Q run $F -p '5 6 7' --max-new 4 --arith exact 2> /dev/null; $Q run tests/golden/zoo/glm4_moe -p '5 6 7' --max-new 4 --arith exact 2> /dev/null
$Q quantize $F --to gguf:Q8_0 -o "$W/q.gguf" 2>&1 | grep -E 'MTP|nextn'; $Q inspect "$W/q.gguf" | grep -E 'shape|MTP|keys'
# folders: blocks behind the last in GGUF where llama.cpp has a place for them, in 16 bits unless asked; dropped with --no-mtp
for f in qwen3_5_moe deepseek_v3; do $Q quantize tests/golden/mtp/$f --to gguf:Q8_0 --accept MOD-FLOAT -o "$W/$f.gguf" 2>&1 | grep -E 'warning.*MTP'; done
$Q quantize tests/golden/mtp/qwen3_next --to gguf:Q8_0 --no-mtp --accept MOD-FLOAT -o "$W/n.gguf" 2>&1 | grep -E 'warning.*MTP'
$Q quantize tests/golden/mtp/qwen3_next --to gguf:Q8_0 --tensor-type 'nextn=q8_0' --accept MOD-FLOAT -o "$W/t.gguf" 2>&1 | grep -E 'warning.*MTP'
$Q verify "$W/t.gguf" | head -3
# no part of the model: in no count; a block without what joins it is left out; a number that is not that of the blocks
$Q plan tests/golden/mtp/glm4_moe --exact --formats Q8_0,fp8:tensor | grep -E '^(this|fp8|gguf)'
cp -rL tests/golden/mtp/glm4_moe "$W/m"; sed -i 's/"num_nextn_predict_layers": 1/"num_nextn_predict_layers": 2/' "$W/m/config.json"
$Q quantize "$W/m" --to gguf:Q8_0 -o "$W/two.gguf" 2>&1 | grep -E 'warning.*MTP'
sed -i 's/eh_proj/eh_prox/' "$W/m/model-00002-of-00002.safetensors" "$W/m/model.safetensors.index.json"
$Q quantize "$W/m" --to gguf:Q8_0 -o "$W/none.gguf" 2>&1 | grep -E 'warning.*MTP'; $Q inspect "$W/none.gguf" | grep -c nextn
# announced, none stored: said; the same count of bits in inspect and check, heads or none
cp -r tests/golden/zoo/glm4_moe "$W/a"; sed -i 's/"num_nextn_predict_layers": 0/"num_nextn_predict_layers": 2/' "$W/a/config.json"
$Q inspect "$W/a" --json | grep -o '"prediction_layers_announced":[0-9]*'; $Q quantize "$W/a" --to gguf:Q8_0 -o "$W/a.gguf" 2>&1 | grep announces
$Q quantize $F --to gguf:Q2_K --search compat -o "$W/k.gguf" -q > /dev/null 2>&1; for f in "$W/q.gguf" "$W/k.gguf"; do $Q inspect "$f" | grep bits/w; done
cp $F "$W/b.gguf"; $Q gguf set "$W/b.gguf" glm4moe.nextn_predict_layers=3
