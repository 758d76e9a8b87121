#!/usr/bin/env bash
# usage: robust.sh QUANTZ   What must survive a bad day, on the bundled model: kill -9 in the middle and --resume give the bytes
# of an undisturbed run; two runs and 1 or 2 threads give the same bytes; a full disk (a tmpfs of 2 MiB) is one error line and
# leaves nothing under the final name. Exit 77 if the tmpfs cannot be mounted and all else passed (skipped, and it says so).
set -u
export LC_ALL=C.UTF-8
Q=$(realpath "$1"); cd "$(dirname "$0")/../.." || exit 2
W=$(mktemp -d); disk=$W/disk; mounted=0
cleanup() { [ $mounted = 1 ] && umount "$disk"; rm -rf "$W"; }
trap cleanup EXIT
passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); echo "ok    $1"; }
bad() { failed=$((failed + 1)); echo "FAIL  $1"; [ -n "${2:-}" ] && printf '%s\n' "$2" | head -10 | sed 's/^/      /'; }
sum() { # of a file with its manifest, or of a folder
  if [ -d "$1" ]; then (cd "$1" && find . -type f | sort | xargs sha256sum | sha256sum); else sha256sum < "$1"; fi | cut -c1-16
}
same() { if [ "$2" = "$3" ]; then ok "$1: $2"; else bad "$1: expected $2, found $3"; fi; }

# Statistics once: the runs below are about writing.
"$Q" calibrate models/market --data models/market/calibration.jsonl --samples 4 -o "$W/s1" -q -t 1 > /dev/null || bad "calibrate -t 1"
"$Q" calibrate models/market --data models/market/calibration.jsonl --samples 4 -o "$W/s2" -q -t 2 > /dev/null || bad "calibrate -t 2"
same "statistics, 1 and 2 threads" "$(sum "$W/s1")" "$(sum "$W/s2")"

arguments() { # OUT SCHEME options…; SCHEME convert:…: without calibration
  args=(quantize models/market --to "$2" -o "$1" -q "${@:3}")
  [[ $2 == convert:* ]] && args=(convert models/market --to "${2#convert:}" --lossy -o "$1" -q "${@:3}")
  [[ $2 == awq* ]] && args+=(--stats "$W/s1")
  [[ $2 == gptq* ]] && args+=(--calib models/market/calibration.jsonl --samples 4 --search compat # tokens flow through the quantized blocks
                               --module down_proj=bits:8,group_size:32 --module layers.1.self_attn=keep)
}
quantize() { arguments "$@"; "$Q" "${args[@]}" > "$W/stdout" 2> "$W/stderr"; }
journal_of() { cat "$1".partial.journal "$1".partial/.journal 2> /dev/null | wc -c; }
# Kills -9 when the journal holds more than the first tensors. 0 if it died before its time.
killed() { # OUT SCHEME JOURNAL-BYTES
  arguments "$1" "$2" -t 1
  "$Q" "${args[@]}" > "$W/stdout" 2> "$W/stderr" & local pid=$!
  for _ in $(seq 1 6000); do
    [ "$(journal_of "$1")" -gt "$3" ] && break
    kill -0 $pid 2> /dev/null || break
    sleep 0.01
  done
  kill -9 $pid
  { wait $pid; } 2> /dev/null
  [ ! -e "$1" ]
}
# AWQ is compared with a run of two threads by what is resumed on one: a third run would cost half a minute.
for to in gguf:Q4_K_M awq gptq bnb:nf4 convert:gguf:Q4_K_M convert:gptq:w4g32; do
  quantize "$W/a2" $to -t 2 || bad "$to: quantize" "$(cat "$W/stderr")"
  want=$(sum "$W/a2")
  if [ $to != awq ]; then
    quantize "$W/a1" $to -t 1 || bad "$to: quantize" "$(cat "$W/stderr")"
    same "$to, 1 and 2 threads" "$want" "$(sum "$W/a1")"
  fi
  if killed "$W/k" $to 600; then
    ok "$to, kill -9: nothing under the final name"
    bytes=$(journal_of "$W/k")
    [ "$bytes" -gt 600 ] && ok "$to, kill -9: a journal of $bytes bytes" || bad "$to, kill -9: a journal of $bytes bytes" "$(ls -RlA "$W")"
    if quantize "$W/k" $to -t 1 --resume; then same "$to, kill -9 and --resume" "$want" "$(sum "$W/k")"
    else bad "$to, --resume" "$(cat "$W/stderr")"; fi
    left=$(ls "$W" | grep partial); [ -z "$left" ] || bad "$to, --resume leaves files" "$left"
  else bad "$to: the run could not be killed in time" "$(ls -laR "$W")"; fi
  rm -rf "$W"/a1* "$W"/a2* "$W"/k*
done

# A journal that does not say what was written (damage): the tensors are made again, that is said, and the bytes are right.
for to in gguf:Q4_K_M bnb:nf4; do
  if killed "$W/k" $to 600; then
    j=$(ls "$W"/k.partial.journal "$W"/k.partial/.journal 2> /dev/null | head -1)
    sed -i '2s/[0-9a-f]\{16\}$/0123456789abcdef/' "$j"
    quantize "$W/k" $to -t 1 --resume; code=$?
    [ $code -eq 0 ] && grep -q 'is not as it was written' "$W/stderr" && ok "$to, a journal that was changed is found" \
      || bad "$to, a journal that was changed: exit $code" "$(cat "$W/stderr")"
  else bad "$to: the run could not be killed in time" "$(ls -laR "$W")"; fi
  rm -rf "$W"/k*
done

# A device is never replaced (issue 14, case 02): a node of our own, never one of the system's.
if mknod "$W/node" c 1 3 2> /dev/null; then
  for to in gguf:Q8_0 awq; do
    quantize "$W/node" $to -f; code=$?
    [ $code -eq 2 ] && [ -c "$W/node" ] && grep -q 'a character device' "$W/stderr" && ok "$to onto a device: refused" || bad "$to onto a device: exit $code" "$(cat "$W/stderr"; ls -l "$W")"
  done
  "$Q" calibrate models/market --data models/market/calibration.jsonl --samples 1 -o "$W/node" -f -q > /dev/null 2> "$W/stderr"; code=$?
  [ $code -eq 2 ] && [ -c "$W/node" ] && ok "calibrate onto a device: refused" || bad "calibrate onto a device: exit $code" "$(cat "$W/stderr"; ls -l "$W")"
  rm -f "$W/node"
else
  skipped=$((skipped + 1)); echo "skip  output is a device: no node can be made here (needs root)"
fi

# Full disk: one with too little for the plan, one that fills up while the file is written.
mkdir "$disk"
if mount -t tmpfs -o size=2m tmpfs "$disk" 2> /dev/null; then
  mounted=1
  for to in gguf:Q8_0 awq; do
    quantize "$disk/out" $to; code=$?
    [ $code -eq 3 ] && [ "$(grep -c '^quantz: error: ' "$W/stderr")" -eq 1 ] && [ "$(grep -vc "^quantz: warning: " "$W/stderr")" -eq 1 ] && [ ! -e "$disk/out" ] \
      && ok "$to on a full disk: $(cut -c1-90 < "$W/stderr")" || bad "$to on a full disk: exit $code" "$(cat "$W/stderr"; ls -la "$disk")"
    rm -rf "$disk"/*
  done
  "$Q" calibrate models/market --data models/market/calibration.jsonl --samples 1 -o "$disk/out" -q > /dev/null 2> "$W/stderr"; code=$?
  [ $code -eq 3 ] && [ "$(grep -vc "^quantz: warning: " "$W/stderr")" -eq 1 ] && [ ! -e "$disk/out" ] && ok "calibrate on a full disk: $(cut -c1-90 < "$W/stderr")" \
    || bad "calibrate on a full disk: exit $code" "$(cat "$W/stderr"; ls -la "$disk")"
  # Room enough at the start; somebody else fills the disk while the tensors are written.
  mount -o remount,size=9m "$disk"; rm -rf "${disk:?}"/*
  quantize "$disk/out" gguf:Q8_0 -t 1 & shell=$!
  for _ in $(seq 1 3000); do [ "$(journal_of "$disk/out")" -gt 0 ] && break; kill -0 $shell 2> /dev/null || break; sleep 0.005; done
  head -c 9m /dev/zero > "$disk/fill" 2> /dev/null
  wait $shell; code=$?
  [ $code -eq 3 ] && [ "$(grep -vc "^quantz: warning: " "$W/stderr")" -eq 1 ] && [ ! -e "$disk/out" ] && ok "a disk that fills up: $(cut -c1-90 < "$W/stderr")" \
    || bad "a disk that fills up: exit $code" "$(cat "$W/stderr"; ls -la "$disk")"
  rm -f "$disk/fill"
  if quantize "$disk/out" gguf:Q8_0 --resume; then ok "the disk has room again: --resume finishes"; else bad "--resume on a disk with room again" "$(cat "$W/stderr")"; fi
  # What an earlier job has left unfinished is room for the next one, which continues or replaces it; where it is not enough, it is named.
  quantize "$W/g" gguf:Q8_0 || bad "quantize" "$(cat "$W/stderr")"
  left() { # FILE PERCENT: its first half or all of it is left unfinished, on a disk of PERCENT of its size and 128 KiB
    rm -rf "${disk:?}"/*; mount -o remount,size=64m "$disk"
    head -c $(($(stat -c %s "$1") * ($2 < 100 ? 50 : 100) / 100)) "$1" > "$disk/out.partial"; : > "$disk/out.partial.lock"
    mount -o remount,size=$(($(stat -c %s "$1") * $2 / 102400 + 128))k "$disk"
  }
  for resume in "" --resume; do
    calibrate=("$Q" calibrate models/market --data models/market/calibration.jsonl --samples 4 -o "$disk/out" -q $resume)
    left "$W/s1" 100
    if "${calibrate[@]}" > /dev/null 2> "$W/stderr"; then same "calibrate $resume where its own rest takes the room" "$(sum "$W/s1")" "$(sum "$disk/out")"
    else bad "calibrate $resume where its own rest takes the room" "$(cat "$W/stderr")"; fi
    left "$W/s1" 80; "${calibrate[@]}" > /dev/null 2> "$W/stderr"; code=$?
    [ $code -eq 3 ] && grep -q "bytes, found .* in '$disk/out.partial', which an earlier job has left" "$W/stderr" && ok "calibrate $resume: what takes the room is named" \
      || bad "calibrate $resume on a full disk: exit $code" "$(cat "$W/stderr")"
    left "$W/g" 100
    if quantize "$disk/out" gguf:Q8_0 $resume; then same "quantize $resume where its own rest takes the room" "$(sum "$W/g")" "$(sum "$disk/out")"
    else bad "quantize $resume where its own rest takes the room" "$(cat "$W/stderr")"; fi
    left "$W/g" 80; quantize "$disk/out" gguf:Q8_0 $resume; code=$?
    [ $code -eq 3 ] && grep -q "bytes, found .* in '$disk/out.partial', which an earlier job has left" "$W/stderr" && ok "quantize $resume: what takes the room is named" \
      || bad "quantize $resume on a full disk: exit $code" "$(cat "$W/stderr")"
  done
  left "$W/s1" 100; mv "$disk/out.partial" "$disk/out.partial.stats" # of a job that calibrated: this one does not, and removes them first
  if quantize "$disk/out" gguf:Q8_0; then same "quantize where statistics of another job take the room" "$(sum "$W/g")" "$(sum "$disk/out")"
  else bad "quantize where statistics of another job take the room" "$(cat "$W/stderr")"; fi
  # Where a write failed: what had been written before counts.
  mount -o remount,size=64m "$disk"; rm -rf "${disk:?}"/*
  (ulimit -f 2000; "$Q" quantize models/market --to gguf:Q8_0 -o "$disk/out" -q -t 1 > /dev/null 2> "$W/stderr"); code=$?
  [ $code -eq 3 ] && grep -q "at offset 2048000: " "$W/stderr" && ok "a write that fails in the middle: $(tail -1 "$W/stderr" | cut -c1-90)" || bad "a write that fails in the middle: exit $code" "$(cat "$W/stderr")"
else
  skipped=$((skipped + 1)); echo "skip  full disk: no tmpfs can be mounted here (needs root)"
fi
echo "robust: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] || exit 1
[ $skipped -eq 0 ] || exit 77
