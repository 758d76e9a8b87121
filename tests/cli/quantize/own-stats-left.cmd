# Statistics that a job makes for itself: of another job they are no reason to stop, of another kind of job they are removed, and no
# message names what is gone at the end.
cd "$W"; m=$OLDPWD/tests/golden/zoo/qwen2
for i in 1 2 3; do printf '{"ids":['; for k in $(seq 1 16); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(((i * i * 31 + k * k * 7 + i * k) % 256)); done; printf ']}\n'; done > ids.jsonl
c="--calib ids.jsonl --seq-len 16 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG"
try() { "$Q" "$@" -t 1 > log 2> err; echo "$? $(grep -E '^quantz: error|calibrat.*(anew|on|finished by)|is removed' err | sed -E 's/ in [0-9.]+ s$//' | tr '\n' ';')"; ls -d w* d/* 2> /dev/null | tr '\n' ' '; echo; }
killed() { # what a job killed in its calibration pass leaves: its lock, a journal with one layer, the partial statistics
  : > $1.partial.lock; cp part $2.partial; cp journal $2.partial.journal; }
"$Q" calibrate $m --data ids.jsonl --seq-len 16 --samples 1 ${c#* * --seq-len 16} -o part -q -t 1 > /dev/null 2>&1
{ printf '%064d\n' 7; echo "layer 0 $(stat -c %s part)"; } > journal
echo "other data"; killed w w.partial.stats; try quantize $m --to gguf:Q8_0 $c -o w --resume
rm w*; killed w w.partial.stats; try quantize $m --to gguf:Q8_0 $c -o w
rm w*; killed w w.partial.stats; cp part w.partial.stats; try quantize $m --to gguf:Q8_0 $c -o w --resume; rm w*
echo "another kind"; killed w w.partial.stats; try quantize $m --to bnb:nf4 -o w
rm -r w; killed w w.partial.stats; try convert $m --to bnb:nf4 --lossy -o w
rm -r w; killed w w; try calibrate $m --data ids.jsonl --seq-len 16 ${c#* * --seq-len 16} -o w; rm w
: > w.partial.lock; cp part w.partial.stats; try quantize $m --to gguf:Q8_0 -o w
rm w*; mkdir w.partial; echo x > w.partial/model.safetensors.partial; printf 'quantz-items 2 x\n' > w.partial.journal; : > w.partial.lock
try calibrate $m --data ids.jsonl --seq-len 16 ${c#* * --seq-len 16} -o w
echo "of release"; mkdir d; cp part d/calibration.partial.stats; for x in calibration.partial.stats report.md report.json; do : > d/$x.partial.lock; done
head -1 ids.jsonl > t.jsonl; try release $m --to gguf:Q8_0 --text t.jsonl --no-bench -o d --resume
