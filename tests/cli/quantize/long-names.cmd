# The longest name that a job makes is checked before any work, and no longer one than it makes.
cd "$W"; m=$OLDPWD/tests/golden/zoo/qwen2; l() { printf '%*s' "$1" '' | tr ' ' n; }
try() { "$Q" "$@" -q > /dev/null 2> err; echo "$? $(grep '^quantz: error' err | sed -E 's/n{9,}/n…/g') $(ls | grep -v err | sed -E 's/n{9,}/n…/g' | tr '\n' ' ')"; rm -rf n*; }
printf '{"ids":[1,2,3,4,5,6,7,8]}\n' > err.jsonl; a="--accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG"
try quantize $m --to gguf:Q8_0 -o $(l 229); try quantize $m --to gguf:Q8_0 -o $(l 230)
try quantize $m --to gguf:Q8_0 --calib err.jsonl $a --seq-len 8 -o $(l 225); try quantize $m --to gguf:Q8_0 --calib err.jsonl $a --seq-len 8 -o $(l 226)
try convert $m --to bnb:nf4 --lossy -o x/y/$(l 230); try calibrate $m --data err.jsonl $a --seq-len 8 -o $(l 240)
try release $m --to gguf:Q8_0 --no-bench --text err.jsonl --name $(l 220) -o n
d=$(l 200); try quantize $m --to gguf:Q8_0 -o $(for i in $(seq 20); do printf '%s/' $d; done)$(l 80)
