# layouts of small floats: codes and scales stay; each edge labelled, scales of inputs carried over, what does not fit refused
B=tests/golden/zoo/qwen2; for s in ct:nvfp4a16 ct:mxfp4 ct:fp8_dynamic fp8:tensor; do $Q quantize $B --to $s --search compat -o "$W/${s#*:}" -q > /dev/null 2>&1; done
to() { echo "$1 -> $2"; $Q convert "$W/$1" --to $2 -o "$W/${3:-x}" --force -q 2>&1 | grep -E '^(exact|bounded|lossy|quantz: error|  *(the|rounded|float|codes))|carried' | sed "s#$W#W#g"; }
to nvfp4a16 modelopt:nvfp4a16 mo; to mo ct:nvfp4a16 back; $Q diff "$W/nvfp4a16" "$W/back" | grep equal,
to mxfp4 modelopt:mxfp4; to mxfp4 ct:nvfp4a16; to mxfp4 modelopt:nvfp4a16
to fp8_dynamic modelopt:fp8_dynamic; to tensor ct:fp8_dynamic; to tensor modelopt:fp8
$Q quantize models/market --to ct:fp8 --search compat --calib models/market/calibration.jsonl --samples 8 --seq-len 64 --no-bos --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG -o "$W/static" -q > /dev/null 2>&1
to static modelopt:fp8 s1; to s1 ct:fp8 s2; to static fp8:tensor
to fp8_dynamic fp8:tensor; to nvfp4a16 ct:mxfp4; to nvfp4a16 ct:fp8_dynamic; to fp8_dynamic ct:w4a16+g32
