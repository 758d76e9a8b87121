# case 21: every kind of quantized source, every bnb level; the proof compares all of them. A GGUF file has no config.json: quantize makes
# it of the file's keys, convert takes it with --config-dir too
cp -r tests/golden/cases/21-bnb-from-quantized/src "$W/src"; cp tests/golden/cases/21-bnb-from-quantized/cal.jsonl "$W"; cd "$W" || exit 9
q() { "$Q" quantize "$@" -q > /dev/null 2> err || cat err; }
C="--calib cal.jsonl --accept CAL-RANK,CAL-COUNT,CAL-DUP --seq-len 64"
q src --to gptq:w4g32 $C -o gptq; q src --to awq:w4g32 $C -o awq; q src --to bnb:nf4 -o nf4; q src --to bnb:int8 -o int8; q src --to bnb:fp4+double -o double
q src --to gguf:Q4_0 -o q4_0.gguf; q src --to gguf:F16 -o f16.gguf; q src --to gguf:BF16 -o bf16.gguf; q src --to gguf:F32 -o f32.gguf
for s in gptq awq nf4 int8 double q4_0.gguf f16.gguf bf16.gguf f32.gguf; do
  for to in bnb:nf4 bnb:fp4 bnb:int8 bnb:nf4+double; do
    rm -rf o; "$Q" quantize $s --to $to -o o -q > /dev/null 2> err; code=$?
    case $s in *.gguf) rm -rf o; "$Q" convert $s --to $to --config-dir src --lossy -o o -q > /dev/null 2> err; code="$code, convert $?" ;; esac
    echo "$s -> $to: rc $code; $(grep -o 'error: .*' err) $("$Q" verify o 2>&1 | tail -1)"
  done
done
