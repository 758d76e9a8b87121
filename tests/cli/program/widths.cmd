# no verb prints a line wider than the terminal: 80 columns where there is none, COLUMNS, or what the terminal says
unset COLUMNS; M=models/market D=models/market/calibration.jsonl
head -3 $M/eval.jsonl > "$W/e.jsonl"; head -4 $M/tasks.jsonl > "$W/t.jsonl"; cd "$W" || exit 1; ln -s "$OLDPWD/models" models
for a in gguf:Q4_0 gguf:Q8_0 gptq:w4g64 bnb:nf4; do $Q quantize $M --to $a --search compat -o a-${a#*:} --calib $D --samples 4 -q > o-$a 2> /dev/null; done
each() { # LIMIT: what is wider
  local n=0 line
  while read -r line; do
    eval "$Q $line" > o 2> e; [ $? -lt 2 ] || echo "$line: failed: $(tail -1 e)"
    [ -s o ] || echo "$line: nothing on stdout"
    [ "$(wc -L < o)" -le "$1" ] || { echo "$line: $(wc -L < o) columns"; awk -v m="$1" 'length($0) > m' o | head -2; }
    n=$((n + 1))
  done <<'LIST'
bench $M a-Q8_0 --repeats 1 --window 32 -q
calibrate $M --data $D --samples 4 -o c.stats -f -q
calibrate $M --data $M/calibration-bad.jsonl --lint -q
check $M
check a-Q4_0 --engine llama.cpp --tp 2
check $M --to awq --hardware rtx-4090
convert a-Q4_0 --to gguf:F16 --dry-run
convert a-w4g64 --to awq --dry-run
diff $M a-Q4_0
diff $M a-nf4 --tensors
eval --against $M a-Q4_0 --text e.jsonl --tasks t.jsonl --max-tasks 4 -q
explain
explain memory
explain launch $M
explain launch a-Q4_0
explain a-Q4_0 --tensor blk.0.attn_q.weight --elem 0,0
explain a-w4g64 --tensor model.layers.0.mlp.down_proj --elem 200,700 --against $M
inspect $M
inspect $M --tensors
inspect $M --deploy
inspect a-Q4_0
inspect a-Q4_0 --tensors
inspect a-w4g64
inspect a-w4g64 --tensors
inspect a-nf4 --tensors
pick $M/config.json --hardware laptop-16gb
plan $M
plan $M --hardware rtx-4090
plan --hardware list
plan qwen3.5-27b --hardware a100-80gb --users 64 --speed
plan llama-3-70b --hardware rtx-4060 --offload --levels
plan $M --job
plan --matrix 1,7,70 --hardware h100
pick llama-3-70b --hardware rtx-4060 --ram 64GB
pick qwen3-8b --hardware a100-80gb --users 64
check gpt-oss-20b --hardware h100
quantize $M --to gguf:Q4_K_M --dry-run
quantize $M --to gptq:w4g64+act_order --search compat --dry-run
quantize $M --to gguf:Q5_1 -o q.gguf -f -q
release $M --to gguf:Q8_0,gguf:Q4_0 --search compat --text e.jsonl --tasks t.jsonl --max-tasks 4 --repeats 1 -o r -f -q
release $M --to gguf:Q8_0,awq --calib $D -o r2 --dry-run
types
verify a-Q4_0
verify a-w4g64
LIST
  echo "$n outputs within $1 columns, or named above"
}
each 80; COLUMNS=120; export COLUMNS; each 120; COLUMNS=50; each 80 > x; tail -1 x
# a name that is long, and a terminal of 60 columns: no table and no line of words is wider (hashes and paths are not cut in a command)
L=a-folder-whose-name-is-rather-long/another-one; mkdir -p "$L"; cp -r a-Q4_0 "$L/weights-of-4-bits.gguf"; cp -r a-w4g64 "$L/w4"; COLUMNS=80
for a in "verify $L/weights-of-4-bits.gguf" "verify $L/w4" "explain launch $L/w4" "explain launch $L/weights-of-4-bits.gguf" "calibrate $M --data $D --samples 4 -o a-long-name.stats -f -q"; do $Q $a 2> /dev/null | wc -L | awk -v a="$a" '$1 > 80 { print a ": " $1 }'; done
COLUMNS=60; for a in "bench a-Q8_0 --repeats 1 --max-new 2 --window 16 -q" "diff $M a-Q4_0" "diff $M a-nf4 --tensors" "verify a-w4g64" "explain engines" "plan --shapes" "plan --hardware list" "plan $M --hardware rtx-4090" "types" "quantize $M --to gguf:Q4_K_M --dry-run" "inspect a-Q4_0 --tensors"; do
  n=$($Q $a 2> /dev/null | wc -L); [ "$n" -gt 20 ] && [ "$n" -le 60 ] || echo "$a: $n"; done; unset COLUMNS
COLUMNS=60 $Q bench a-Q8_0 --repeats 1 --max-new 2 --window 16 -q | sed -E 's/[0-9.]+[-0-9.]*$/N/' | head -3
COLUMNS=120 $Q types | wc -L; unset COLUMNS; $Q types | wc -L; COLUMNS=no $Q types | wc -L
script -qec "stty cols 100; $Q diff $M a-Q4_0" /dev/null < /dev/null | tr -d '\r' | wc -L
script -qec "stty cols 60; $Q verify a-w4g64" /dev/null < /dev/null | tr -d '\r' | wc -L
cat o-gguf:Q4_0 | grep -A2 weights
