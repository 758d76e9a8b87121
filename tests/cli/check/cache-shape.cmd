# scales of an FP8 cache in a shape that servers do not read: of verify, check and --repair
. tests/cli/convert/faulty.sh
bash tests/cli/ids.sh 8 32 > "$W/ids.jsonl"
"$Q" quantize tests/golden/zoo/qwen2 --to ct:fp8_dynamic+kv_heads --search compat --calib "$W/ids.jsonl" --seq-len 32 --accept CAL-COUNT,CAL-RANK,CAL-LEN,CAL-DUP -o "$W/m" -q > "$W/log" 2>&1
rm "$W/m/quantz-manifest.json"; "$Q" verify "$W/m" -q | grep -c cache
names "$W/m/model.safetensors" 's/\(layers.1.self_attn.v_scale":{"dtype":"\)F32","shape":\[2,1,1\]/\1F16","shape":[4]/'
"$Q" verify "$W/m" -q 2> "$W/log" | grep '^cache'; "$Q" check "$W/m" --quick 2> "$W/log" | grep -A1 CHK-SCALE; "$Q" convert "$W/m" --repair -o "$W/out" -n
