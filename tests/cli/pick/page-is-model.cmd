# The files beside a config.json are the model.
cp -r tests/golden/zoo/llama $W/m
for f in model-00001-of-00002.safetensors config.json golden.json; do "$Q" pick $W/m/config.json --md $W/m/$f -f -q > $W/log 2>&1; echo "$f $? $(grep '^quantz: error' $W/log)"; done
for f in $W/m/*; do [ -f $f ] && cmp $f tests/golden/zoo/llama/$(basename $f); done
echo unchanged
