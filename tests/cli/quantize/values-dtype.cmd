# What codes stand for is rounded to the configuration's type: sources that are FP8 already, and configurations that do not say one.
m=tests/golden/zoo/llama
"$Q" quantize $m --to fp8:block -o $W/f -q > /dev/null 2>&1
for to in ct:nvfp4a16 modelopt:nvfp4a16 ct:mxfp8 ct:fp8_dynamic; do "$Q" quantize $W/f --to $to -o $W/o -f -q | sed -n 2p | sed 's/, [0-9.]* s$//'; done
cp -r $m $W/m; sed -i '/dtype"/d' $W/m/config.json
for to in ct:nvfp4a16 modelopt:nvfp4a16; do "$Q" quantize $W/m --to $to -o $W/o -f -q | sed -n 2p | sed 's/, [0-9.]* s$//'; grep -o '"torch_dtype": "[a-z0-9]*"' $W/o/config.json; done
true
