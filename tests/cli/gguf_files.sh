#!/usr/bin/env bash
# usage: gguf_files.sh QUANTZ   GGUF files of every form: parts written, read, kept and refused by name.
# Outside truth: the layout of llama-gguf-split (formats/gguf-container.md section 3): names, the three keys, sizes in padded
# tensor bytes; a split model and the file it was split from hold the same tensors.
set -u
export LC_ALL=C.UTF-8
Q=$(realpath "$1"); cd "$(dirname "$0")/../.." || exit 2
W=$(mktemp -d -p /dev/shm 2> /dev/null || mktemp -d); trap 'rm -rf "$W"' EXIT
Z=$PWD/tests/golden/zoo
cd "$W" || exit 2
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAIL  $1"; [ -n "${2:-}" ] && printf '%s\n' "$2" | head -10 | sed 's/^/      /'; }
is() { if [ "$2" = "$3" ]; then ok; else bad "$1: expected '$2', found '$3'"; fi; }
works() { local what=$1; shift; "$Q" "$@" > stdout 2> stderr && ok || bad "$what: exit $?" "$(cat stdout stderr)"; }
says() { if grep -qF -- "$2" stdout; then ok; else bad "$1: expected '$2'" "$(cat stdout)"; fi; }
refuses() { # WHAT TEXT command…: exit 2, one line that holds TEXT
  local what=$1 text=$2 code; shift 2
  "$Q" "$@" > stdout 2> stderr; code=$?
  is "$what: exit" 2 $code
  is "$what: error lines" 1 "$(grep -c '^quantz: error: ' stderr)"
  if grep '^quantz: error: ' stderr | grep -qF -- "$text"; then ok; else bad "$what: expected '$text'" "$(cat stderr)"; fi
}
same() { # WHAT A B: every tensor equal
  "$Q" diff "$2" "$3" --json > stdout 2> stderr
  if grep -q '"different":0' stdout && grep -q '"missing":0' stdout; then ok; else bad "$1" "$(cat stdout stderr)"; fi
}

# ---- written and read ----
works "one file" quantize "$Z/qwen2" --to gguf:Q8_0 -o a.gguf -q
works "parts by tensors" quantize "$Z/qwen2" --to gguf:Q8_0 -o a.gguf --split-max-tensors 10 -q
is "names" "a-00001-of-00004.gguf a-00002-of-00004.gguf a-00003-of-00004.gguf a-00004-of-00004.gguf a.gguf" "$(echo a*.gguf)"
works "inspect" inspect a-00002-of-00004.gguf; says "inspect" "gguf v3 in 4 parts, Q8_0"; says "inspect" "38 tensors"
same "tensors of the parts" a.gguf a-00003-of-00004.gguf
works "verify" verify a-00004-of-00004.gguf
is "hashes of all parts" 4 "$(grep -c 'hash of a-0000[1-4]-of-00004.gguf  ok' stdout)"
works "run" run a-00001-of-00004.gguf --prompt "1 2 3" --max-new 2 -q
printf '{"ids":[1,2,3,4,5,6,7,8]}\n' > ids.jsonl
works "eval" eval a-00002-of-00004.gguf --text ids.jsonl -q
mkdir size && works "parts by size" quantize "$Z/qwen2" --to gguf:Q8_0 -o size/b.gguf --split-max-size 1M -q
is "one part" "size/b-00001-of-00001.gguf" "$(echo size/*.gguf)"
works "dry run" quantize "$Z/qwen2" --to gguf:Q8_0 -o a2.gguf --split-max-tensors 10 -n
is "sizes of the dry run" "$(stat -c %s a-0*.gguf | paste -sd' ')" "$(sed -n 's/^part . of 4: \([0-9]*\) bytes/\1/p' stdout | paste -sd' ')"
works "already finished" quantize "$Z/qwen2" --to gguf:Q8_0 -o a.gguf --split-max-tensors 10 -q --resume; says "resume" "already finished"
works "parts kept" quantize a-00002-of-00004.gguf --to gguf:F16 -o k.gguf --keep-split -q
is "parts kept" 4 "$(ls k-*-of-00004.gguf | wc -l)"
works "joined" quantize a-00002-of-00004.gguf --to gguf:Q8_0 -o joined.gguf -q
same "joined" a.gguf joined.gguf
works "part of a mixture" quantize "$Z/mixtral" --to gguf:Q4_0 -o m.gguf --split-max-tensors 7 -q
works "whole mixture" quantize "$Z/mixtral" --to gguf:Q4_0 -o m.gguf -q
same "stacks of experts in parts" m.gguf m-00001-of-*.gguf

# ---- refused ----
cp -r . ../"$(basename "$W")".copy 2> /dev/null; D=../$(basename "$W").copy; trap 'rm -rf "$W" "$W.copy"' EXIT
back() { cp a-0* "$D"; }
rm "$D/a-00003-of-00004.gguf"
refuses "a missing part" "missing part: file '$D/a-00003-of-00004.gguf': part 3 of 4" inspect "$D/a-00001-of-00004.gguf"
cp a-00002-of-00004.gguf "$D/a-00003-of-00004.gguf"
refuses "a part twice" "a-00003-of-00004.gguf', key 'split.no': expected 2, found 1" inspect "$D/a-00001-of-00004.gguf"
back; cp a-00003-of-00004.gguf "$D/a-00002-of-00004.gguf"; cp a-00002-of-00004.gguf "$D/a-00003-of-00004.gguf"
refuses "parts out of order" "parts out of order: file '$D/a-00002-of-00004.gguf'" inspect "$D/a-00001-of-00004.gguf"
refuses "opened by one of them" "key 'split.no': expected 2, found 1" inspect "$D/a-00003-of-00004.gguf"
back; works "another model" quantize "$Z/qwen3" --to gguf:Q8_0 -o b.gguf --split-max-tensors 9 -q
cp b-00002-of-00004.gguf "$D/a-00002-of-00004.gguf"
refuses "a foreign part" "part of another model: file '$D/a-00002-of-00004.gguf'" inspect "$D/a-00001-of-00004.gguf"
back; cp a-00001-of-00004.gguf "$D/y.gguf"
refuses "a renamed part" "rename it" inspect "$D/y.gguf"
refuses "an output over the source" "it is never replaced" quantize a-00002-of-00004.gguf --to gguf:F16 -o a.gguf --keep-split --force
refuses "parts of one file" "is none; give --split-max-size" quantize a.gguf --to gguf:F16 -o x.gguf --keep-split
refuses "a size without unit" "bad value '10' for --split-max-size" quantize a.gguf --to gguf:F16 -o x.gguf --split-max-size 10
refuses "no tensors" "bad value '0' for --split-max-tensors" quantize a.gguf --to gguf:F16 -o x.gguf --split-max-tensors 0
refuses "two limits" "exclude each other" quantize a.gguf --to gguf:F16 -o x.gguf --split-max-tensors 3 --split-max-size 1M
refuses "parts of a folder" "--split-max-size is for GGUF" quantize "$Z/qwen2" --to bnb -o x --split-max-size 1M
is "nothing was left" "" "$(echo x* | grep -v 'x\*')"

echo "gguf_files: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
