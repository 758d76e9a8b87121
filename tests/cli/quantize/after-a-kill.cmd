# What a killed job has left is known by its lock file or journal, and put right; --resume is no --force for what another job has made.
m=tests/golden/zoo/qwen2
try() { "$Q" "$@" -t 1 > "$W/log" 2> "$W/err"; echo "$? $(grep -E '^quantz: error|put back|is removed|already' "$W/err" "$W/log" | sed 's/^[^:]*://' | tr '\n' ';')"; ls $W | grep -vE '^(log|err)$' | tr '\n' ' '; echo; }
echo "finished: nothing to do, of another recipe, of another name, of other bytes"
try quantize $m --to gguf:Q8_0 -o $W/a
try quantize $m --to gguf:Q8_0 -o $W/a --resume
try quantize $m --to gguf:Q4_0 -o $W/a --resume
try quantize $m --to gguf:Q8_0 -o $W/a --name other --resume
try convert $m --to gguf:F32 -o $W/a --resume
printf x | dd of=$W/a bs=1 seek=9999 conv=notrunc 2> /dev/null; try quantize $m --to gguf:Q8_0 -o $W/a --resume
try quantize $m --to gguf:Q8_0 -o $W/a --resume --force
echo "a journal beside a finished output, and beside none"
printf 'quantz-items 2 x\n' > $W/a.partial.journal; try quantize $m --to gguf:Q8_0 -o $W/a --resume
printf 'quantz-items 2 x\n' > $W/b.partial.journal; try quantize $m --to gguf:Q8_0 -o $W/b --resume
echo "an old folder that was moved aside, and one that was replaced already"
try quantize $m --to bnb:nf4 -o $W/c
mv $W/c $W/c.partial.old; : > $W/c.partial.lock; try quantize $m --to bnb:fp4 -o $W/c
cp -r $W/c $W/c.partial.old; : > $W/c.partial.lock; try quantize $m --to bnb:nf4 -o $W/c --resume
echo "without a mark of ours nothing is touched"
mkdir $W/d.partial.old; try quantize $m --to bnb:nf4 -o $W/d --resume -f
mkdir $W/e.partial; try quantize $m --to bnb:nf4 -o $W/e --resume; : > $W/e.partial.lock; try quantize $m --to bnb:nf4 -o $W/e --resume
echo "a mark stays until a job has finished"
: > $W/f.partial.lock; try quantize $m --to gptq -o $W/f; try quantize $m --to bnb:nf4 -o $W/f
echo "with calibration: known before the work"
for i in 1 2 3; do printf '{"ids":['; for k in $(seq 1 16); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(((i * i * 31 + k * k * 7 + i * k) % 256)); done; printf ']}\n'; done > $W/ids.jsonl
c="--calib $W/ids.jsonl --seq-len 16 --samples 2 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG"
try quantize $m --to gguf:Q8_0 $c -o $W/h; grep -c 'calibrated on' $W/err; try quantize $m --to gguf:Q8_0 $c -o $W/h --resume; grep -c 'calibrated on' $W/err; rm $W/h*
try quantize $m --to awq:w4g32 --search compat $c -o $W/g; try quantize $m --to awq:w4g32 --search compat $c -o $W/g --resume
try quantize $m --to awq:w4g32 --search compat $c --samples 3 -o $W/g --resume
sed -i 's/7/8/' $W/ids.jsonl; try quantize $m --to awq:w4g32 --search compat $c -o $W/g --resume
