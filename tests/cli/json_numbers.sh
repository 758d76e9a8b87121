#!/usr/bin/env bash
# usage: json_numbers.sh QUANTZ   Everything printed is in --json: of every verb the text view and the answer of --json are made of the same
# input; every number of the text must be among the numbers of the answer (also inside its strings), rounded to the digits that the
# text shows and scaled by the units that texts use. What is not is listed in json_numbers.except: VERB<tab>REGEX<tab>REASON; the part
# of the text that the regex matches is left out before the numbers are read.
# And every answer is one object that our own parser takes (it refuses keys that stand twice), with its schema version.
set -u
export LC_ALL=C.UTF-8 COLUMNS=400
Q=$(realpath "$1"); here=$(cd "$(dirname "$0")" && pwd); cd "$here/../.." || exit 2
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
passed=0 failed=0
m=models/market

cat > "$work/compare.awk" <<'A'
# First file: the answer of --json. Second: the text.
function numbers(s, list, n,   before, x) {
  while (match(s, /[-+]?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?/)) {
    x = substr(s, RSTART, RLENGTH)
    before = RSTART > 1 ? substr(s, RSTART - 1, 1) : " "
    s = substr(s, RSTART + RLENGTH)
    if (before ~ /[A-Za-z_]/ || s ~ /^[A-Za-wyz_]/) continue # part of a name: q4_k, W4A16, 0b3f
    sub(/^\+/, "", x)
    list[++n] = x
  }
  return n
}
function decimals(x,   i) { i = index(x, "."); return i ? length(x) - i : 0 }
function found(t,   d, k, u, v, tol) {
  if (t in exact) return 1
  d = decimals(t); tol = 0.500001 * 10 ^ -d
  for (k = 1; k <= nj; k++) for (u = 1; u <= nu; u++) {
    v = j[k] * unit[u] - t
    if (v <= tol && v >= -tol && (t != 0 || j[k] * unit[u] < 1)) return 1
  }
  return 0
}
BEGIN { nu = split("1 1e-3 1e-6 1e-9 9.5367431640625e-07 9.313225746154785e-10 100 1000 -1", unit, " ") }
FNR == NR { gsub(/\\n/, " "); n = numbers($0, list, 0); for (i = 1; i <= n; i++) { j[++nj] = list[i]; exact[list[i]] = 1 }; next }
{ n = numbers($0, list, 0); for (i = 1; i <= n; i++) { all++; if (!found(list[i])) { bad++; print "    " list[i] " of: " $0 } } }
END { print all + 0, bad + 0 > counts }
A

verb() { # NAME command and options… (an output in them is removed between the two runs)
  local name=$1 n bad; shift
  rm -rf "$work"/out*; "$Q" "$@" -q > "$work/text" 2> "$work/err"
  rm -rf "$work"/out*; "$Q" "$@" -q --json > "$work/json" 2>> "$work/err"
  awk -F'\t' -v v="$name" '$1 == v || $1 == "*" { print $2 }' "$here/json_numbers.except" > "$work/except"
  while IFS= read -r e; do [ -n "$e" ] && sed -E -i "s#$e##g" "$work/text"; done < "$work/except"
  sed -i "s#$work##g" "$work/text" "$work/json"
  awk -v counts="$work/counts" -f "$work/compare.awk" "$work/json" "$work/text" > "$work/missing"
  read -r n bad < "$work/counts"
  if [ "$n" -eq 0 ] && [[ $name != explain && $name != bench ]]; then failed=$((failed + 1)); echo "FAIL $name: the text has no number: $(head -3 "$work/err")"; return; fi
  if [ "$bad" -gt 0 ]; then failed=$((failed + 1)); echo "FAIL $name: $bad of $n numbers are not in --json"; head -12 "$work/missing"; else passed=$((passed + 1)); fi
  answer "$name"
}
answer() { # the answer begins with its schema and parses
  if ! head -c 12 "$work/json" | grep -q '^{"schema":2'; then failed=$((failed + 1)); echo "FAIL $name: the answer does not begin with its schema: $(head -c 60 "$work/json")"; return; fi
  "$Q" check --report "$work/json" > "$work/parsed" 2>&1
  if grep -qE '^input: |not a report: |bad report: ' "$work/parsed"; then passed=$((passed + 1))
  else failed=$((failed + 1)); echo "FAIL $name: the answer is no JSON that can be read: $(tail -1 "$work/parsed")"; fi
}

head -6 $m/eval.jsonl > "$work/e.jsonl"; head -12 $m/tasks.jsonl > "$work/t.jsonl"
accept=(--accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG)
"$Q" quantize $m --to gguf:Q4_K_M --search compat -o "$work/q4.gguf" -q > /dev/null 2>&1
"$Q" quantize $m --to awq --search compat --calib $m/calibration.jsonl --samples 4 --seq-len 64 "${accept[@]}" -o "$work/awq" -q > /dev/null 2>&1
verb eval eval "$work/q4.gguf" --against $m --text "$work/e.jsonl" --tasks "$work/t.jsonl" --arith exact
verb run run "$work/q4.gguf" -p 'Convert temperature. 75 F' --max-new 12 --temperature 0
verb release release $m --to gguf:Q4_0 --search compat --text "$work/e.jsonl" --tasks "$work/t.jsonl" --max-tasks 4 --no-bench -o "$work/out"
verb inspect inspect "$work/awq"
verb inspect inspect "$work/q4.gguf"
verb inspect-tensors inspect "$work/q4.gguf" --tensors
verb verify verify "$work/q4.gguf"
verb types types
verb diff diff $m "$work/q4.gguf"
verb diff diff $m "$work/awq"
verb quantize quantize $m --to gguf:Q4_K_M --search compat -o "$work/out.gguf"
verb quantize quantize $m --to gptq:w4g128 --propagate original --without fold,descent,refit,norms --calib $m/calibration.jsonl --samples 4 --seq-len 64 "${accept[@]}" -o "$work/out"
verb dry-run quantize $m --to gguf:Q4_K_M --dry-run -o "$work/out.gguf"
verb convert convert "$work/awq" --to gguf:Q4_1 -o "$work/out.gguf"
verb merge merge tests/golden/zoo/llama tests/golden/lora/llama-plain -o "$work/out"
a=tests/golden/drift/market-fr; head -4 $a.eval.jsonl > "$work/d.jsonl"
verb drift drift --lora $a --base $m --on "$work/q4.gguf" --text "$work/d.jsonl" --calib $a.calibration.jsonl --samples 4
verb calibrate calibrate $m --data $m/calibration.jsonl --samples 8 "${accept[@]}" -o "$work/out.stats"
verb lint calibrate $m --data $m/calibration.jsonl --lint
verb bench bench "$work/q4.gguf" --max-new 4 --window 16 --repeats 2
verb check check "$work/awq" --engine vllm
verb plan plan qwen3-4b --hardware rtx-4090 --formats awq,Q4_K_M
verb pick pick qwen3-4b --hardware rtx-4090
for topic in $("$Q" explain 2> /dev/null | sed -nE 's/^ *([a-z0-9-]+)  .*/\1/p' | grep -v '^launch$'); do verb explain explain "$topic"; done
verb launch explain launch "$work/q4.gguf"
echo "json_numbers: $passed passed, $failed failed"
[ $failed -eq 0 ]
