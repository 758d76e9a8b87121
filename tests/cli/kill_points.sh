#!/usr/bin/env bash
# usage: kill_points.sh QUANTZ KILL_POINTS.so [SCENARIO …]   A kill or a broken disk at any moment loses nothing, and --resume never refuses
# wrongly. Every call with which a job changes the disk is counted (kill_points.c); for the n-th of them:
#   kill -9 before it: under the final name stands nothing, the whole old or the whole new output; the same command with --resume then ends
#     with 0 and the bytes of an undisturbed run; nothing of ours is left beside it
#   no space or I/O error at it: exit 3 and one error line, the old output whole; the same command then ends with 0 and those bytes
# Every rename, mkdir, unlink and creation is tried; of the writes and syncs between them each SAMPLE-th (QZ_LONG=1: all).
set -u
export LC_ALL=C.UTF-8
Q=$(realpath "$1") SO=$(realpath "$2"); shift 2
cd "$(dirname "$0")/../.." || exit 2
W=$(mktemp -d -p /dev/shm 2> /dev/null || mktemp -d); trap 'rm -rf "$W"' EXIT
SAMPLE=9; [ -n "${QZ_LONG:-}" ] && SAMPLE=1
Z=tests/golden/zoo/qwen2
passed=0 failed=0
bad() { failed=$((failed + 1)); echo "FAIL  $1"; [ -n "${2:-}" ] && printf '%s\n' "$2" | head -12 | sed 's/^/      /'; }

for i in 1 2 3; do printf '{"ids":['; for k in $(seq 1 16); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(((i * i * 31 + k * k * 7 + i * k) % 256)); done; printf ']}\n'; done > "$W/ids.jsonl"
head -1 "$W/ids.jsonl" > "$W/one.jsonl"
calib=(--seq-len 16 --samples 2 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN,CAL-LANG,CAL-LEAK)

# A scenario: the outputs that count (the first under its final name at every moment), what stands there before, the command. $D: the folder.
outputs() { case $1 in release) echo "d/qwen2-BNB d/qwen2.Q8_0.gguf d/qwen2.Q8_0.gguf.manifest.json" ;; calibrate*) echo "out im.gguf" ;; split*) echo "out-0000"{1,2,3}"-of-00003.gguf" out-00001-of-00003.gguf.manifest.json ;; *) echo "out out.manifest.json" ;; esac; }
before() {
  case $1 in
    *-over-folder*) args=(quantize $Z --to ct:fp8_dynamic) ;;
    edit) args=(quantize $Z --to gguf:Q8_0 --reserve 4K) ;;
    edit-anew) args=(quantize $Z --to gguf:Q8_0) ;;
    split-over) args=(quantize $Z --to gguf:Q4_0 --split-max-tensors 15) ;;
    merge-over) args=(merge tests/golden/zoo/qwen3_moe-sparse tests/golden/lora/qwen3_moe-experts:2) ;;
    drift-over) args=(drift --lora tests/golden/lora/llama-rslora --base tests/golden/zoo/llama --on tests/golden/zoo/llama --text "$W/one.jsonl" --calib "$W/ids.jsonl" "${calib[@]}") ;;
    *-over-file*) args=(quantize $Z --to gguf:Q4_0) ;;
    calibrate-over) args=(calibrate $Z --data "$W/ids.jsonl" --seq-len 8 --samples 1 --accept "${calib[5]}" --imatrix "$D/im.gguf") ;;
    *) return ;;
  esac
  "$Q" "${args[@]}" -o "$D/out" -q -t 1 > /dev/null 2>&1
}
command_of() { # SCENARIO: into args
  case $1 in
    edit*) args=(gguf set "$D/out" general.name=Another general.license:str=mit) ;;
    split*) args=(quantize $Z --to gguf:Q8_0 --split-max-tensors 15 -o "$D/out") ;;
    gguf*) args=(quantize $Z --to gguf:Q8_0 -o "$D/out") ;;
    calibrated) args=(quantize $Z --to gguf:Q8_0 --calib "$W/ids.jsonl" "${calib[@]}" -o "$D/out") ;;
    awq*) args=(quantize $Z --to awq:w4g32 --calib "$W/ids.jsonl" --search compat "${calib[@]}" -o "$D/out") ;;
    bnb*) args=(quantize $Z --to bnb:nf4 -o "$D/out") ;;
    convert) args=(convert $Z --to bnb:nf4 --lossy -o "$D/out") ;;
    merge-over) args=(merge tests/golden/zoo/qwen3_moe-sparse tests/golden/lora/qwen3_moe-experts -o "$D/out") ;;
    drift-over) args=(drift --lora tests/golden/lora/llama-plain --base tests/golden/zoo/llama --on tests/golden/zoo/llama --text "$W/one.jsonl" --calib "$W/ids.jsonl" "${calib[@]}" -o "$D/out") ;;
    calibrate*) args=(calibrate $Z --data "$W/ids.jsonl" "${calib[@]}" -o "$D/out" --imatrix "$D/im.gguf") ;;
    release) args=(release $Z --to gguf:Q8_0,bnb:nf4 --calib "$W/ids.jsonl" "${calib[@]}" --text "$W/one.jsonl" --no-bench -o "$D/d") ;;
  esac
  args+=(-q -t 1)
  case $1 in edit* | merge* | drift*) resume= ;; *) resume=--resume ;; esac
  case $1 in *-over*) args+=(--force) ;; esac
}
sum() { # of files and folders in $D
  local x all=
  for x in "$@"; do
    if [ -d "$D/$x" ]; then all+=" $D/$x/*"; elif [ -e "$D/$x" ]; then all+=" $D/$x"; else all+=" none"; fi
  done
  sha256sum $all 2> /dev/null | sha256sum
}
fresh() { rm -rf "$D"; cp -r "$W/before" "$D"; }
strays() { find "$D" \( -name '*.partial*' -o -name '*.old' -o -name '*journal*' -o -name '*.lock' -o -name '*.undo*' \) | head; }
try() { LD_PRELOAD=$SO "$Q" "${args[@]}" "$@" > "$W/stdout" 2> "$W/stderr"; }
after() { # WHAT OPTION…: the same command again
  local what=$1 left; shift
  "$Q" "${args[@]}" "$@" > "$W/stdout" 2> "$W/stderr" || { bad "$what: then ${*:-the same command}: exit $?" "$(cat "$W/stderr"; ls -A "$D")"; return 1; }
  [ "$(sum $out)" = "$new" ] || { bad "$what: then ${*:-the same command}: other bytes" "$(ls -AR "$D")"; return 1; }
  left=$(strays); [ -z "$left" ] || { bad "$what: then ${*:-the same command}: leaves files" "$left"; return 1; }
}
killed() { # N CALL
  local what="$name, killed before call $1 ($2)" now
  fresh; { QZ_POINT=$1 QZ_POINT_HOW=kill try; } 2> /dev/null; [ $? -eq 137 ] || { bad "$what: it was not killed"; return; }
  for x in $out; do
    case $x in *.manifest.json) continue ;; esac # a file's manifest gets its name just before the file
    [ -e "$D/$x.undo" ] && { "$Q" verify "$D/$x" > /dev/null 2>&1 && bad "$what: an interrupted edit passes for a whole file"; continue; }
    now=$(sum "$x"); [[ $now == "$none" || $now == "$(cat "$W/old.$(basename "$x")")" || $now == "$(cat "$W/new.$(basename "$x")")" ]] \
      || { bad "$what: '$x' is neither the old nor the new one" "$(ls -lAR "$D")"; return; }
  done
  after "$what" $resume && passed=$((passed + 1))
}
refused() { # N CALL ERRNO
  local what="$name, error $3 at call $1 ($2)" code
  fresh; QZ_POINT=$1 QZ_POINT_HOW=$3 try; code=$?
  case $2 in *.lock) [ $code -eq 0 ] && [ "$(sum $out)" = "$new" ] && { passed=$((passed + 1)); return; } ;; esac # works without a lock
  [ $code -eq 3 ] && [ "$(grep -c '^quantz: error: ' "$W/stderr")" -eq 1 ] || { bad "$what: exit $code" "$(cat "$W/stderr")"; return; }
  case $name in edit) # in place: the file is the old or the new one, and its manifest may have no hash of it
    [[ $(sum out) == $(cat "$W/old.out") || $(sum out) == $(cat "$W/new.out") ]] || { bad "$what: the file is neither the old nor the new one"; return; }
    after "$what" && passed=$((passed + 1)); return ;;
  esac
  [ $name = release ] || [ $name = calibrate-over ] || [ "$(sum $out)" = "$old" ] || { case $name in calibrate) ;; *) bad "$what: the old output is not whole" "$(ls -lAR "$D")"; return ;; esac; }
  case $name in release | calibrate) after "$what" --resume ;; *) after "$what" ;; esac && passed=$((passed + 1))
}

scenario() {
  name=$1; D=$W/d; out=$(outputs "$name")
  export QZ_NO_EXCHANGE=; unset QZ_NO_EXCHANGE
  case $name in *-steps) export QZ_NO_EXCHANGE=1 ;; esac
  rm -rf "$D"; mkdir "$D"; before "$name"; rm -rf "$W/before"; cp -r "$D" "$W/before"
  command_of "$name"
  old=$(sum $out); for x in $out; do sum "$x" > "$W/old.$(basename "$x")"; done; none=$(sum no-such-file)
  rm -f "$W/log"; QZ_POINT_LOG=$W/log try || { bad "$name: exit $?" "$(cat "$W/stderr")"; return; }
  new=$(sum $out); for x in $out; do sum "$x" > "$W/new.$(basename "$x")"; done
  [ "$new" != "$old" ] || { bad "$name: nothing was written"; return; }
  local was=$passed failures=$failed n=0 call path
  while read -r call path; do
    n=$((n + 1))
    case $call in rename | exchange | link | mkdir | rmdir | unlink | open) ;; *) [ $((n % SAMPLE)) -eq 0 ] || continue ;; esac
    killed $n "$call $path"
    [ $name = release ] && [ -z "${QZ_LONG:-}" ] && [ $((n % 3)) -ne 0 ] && continue # the same writers as above
    case $call in unlink | rmdir | link) ;; *) refused $n "$call $path" $((n % 2 ? 28 : 5)) ;; esac
  done < "$W/log"
  after "$name, finished" $resume && passed=$((passed + 1)) # of what was resumed or done again last: nothing to do
  echo "ok    $name: $((passed - was)) of $((passed - was + failed - failures)) cases at $n calls"
}
# A disk that changes a byte: in the header, in a name, in the data, in a folder's file. Never a final name; the line says where to look.
broken_disk() {
  local at scheme what
  for scheme in gguf:Q8_0 bnb:nf4; do
    for at in 9 60 200 700 1500 3000 9000 20000 40000 60000; do
      what="$scheme, byte $at changed on its way to the disk"
      rm -rf "$W/d"; mkdir "$W/d"; D=$W/d; args=(quantize $Z --to $scheme -o "$W/d/out" -q -t 2)
      QZ_FLIP=$at try; code=$?
      [ $code -ge 2 ] && [ ! -e "$W/d/out" ] && [ "$(grep -c '^quantz: error: ' "$W/stderr")" -eq 1 ] && ! grep -q E-BUG "$W/stderr" \
        && passed=$((passed + 1)) || bad "$what: exit $code" "$(cat "$W/stderr"; ls -A "$W/d")"
    done
  done
  # a journal's line that is not what was written: the tensor is made again, and that is said
  rm -rf "$W/d"; mkdir "$W/d"; args=(quantize $Z --to gguf:Q8_0 -o "$W/d/out" -q -t 1)
  { QZ_POINT=$(grep -n 'rename.*out$' "$W/disk.log" | head -1 | cut -d: -f1) QZ_POINT_HOW=kill try; } 2> /dev/null
  for line in 3 6; do for at in 8 24 41 50; do
    rm -rf "$W/j"; cp -r "$W/d" "$W/j"; args=(quantize $Z --to gguf:Q8_0 -o "$W/j/out" -t 1 --resume)
    sed -i "${line}s/./g/$at" "$W/j/out.partial.journal"
    "$Q" "${args[@]}" > "$W/stdout" 2> "$W/stderr" && grep -q "is not as it was written" "$W/stderr" && cmp -s "$W/j/out" "$W/whole" \
      && passed=$((passed + 1)) || bad "journal, line $line, place $at" "$(cat "$W/stderr"; ls -A "$W/j")"
  done; done
}
if [ $# -eq 0 ] || [ "$1" = broken-disk ]; then
  mkdir -p "$W/d"; D=$W/d; args=(quantize $Z --to gguf:Q8_0 -o "$W/d/out" -q -t 1); QZ_POINT_LOG=$W/disk.log try; cp "$W/d/out" "$W/whole"
  was=$passed; broken_disk; echo "ok    broken-disk: $((passed - was)) cases"
  [ "${1:-}" = broken-disk ] && shift && [ $# -eq 0 ] && { echo "kill_points: $passed passed, $failed failed"; [ $failed -eq 0 ]; exit; }
fi
[ $# -gt 0 ] || set -- gguf split split-over edit edit-anew calibrated awq gguf-over-file gguf-over-file-steps bnb-over-folder bnb-over-folder-steps calibrate calibrate-over convert merge-over drift-over release
for s in "$@"; do scenario "$s"; done
echo "kill_points: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
