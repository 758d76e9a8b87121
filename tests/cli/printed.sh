#!/usr/bin/env bash
# usage: printed.sh QUANTZ   Commands that the program and its documents print can be given as they stand.
# Every command in the manual, in recorded outputs and in the sources' messages names a verb and options that exist; every
# command of pick's answer runs: check with pick's own exit code and findings, launch with 0 or 1, release as a rehearsal on
# the bundled model.
set -u
export LC_ALL=C.UTF-8 COLUMNS=80
Q=$(realpath "$1"); cd "$(dirname "$0")/../.." || exit 2
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
passed=0 failed=0
bad() { failed=$((failed + 1)); echo "FAIL $1"; }
ok() { passed=$((passed + 1)); }

# ---- verbs and options ----
ls docs/verbs | sed -n 's/\.md$//p' > "$W/verbs"
[ "$(wc -l < "$W/verbs")" -ge 15 ] || bad "only $(wc -l < "$W/verbs") verbs in docs/verbs"
while read -r v; do "$Q" "$v" --help | grep -oE '(^|[ ,])-{1,2}[a-zA-Z][a-zA-Z0-9-]*' | tr -d ' ,' | sed "s/^/$v /"; done < "$W/verbs" | sort -u > "$W/options"
{ grep -hoE "\bquantz [a-z]+( [^'\`\"|&;)…]*)?" README.md docs/*.md docs/verbs/*.md tests/cli/*/*.out
  grep -rhoE "'quantz [a-z]+[^']*'" src --include=*.c --include=*.def | tr -d "'"; } | sed 's/ *\\$//; s/\\n.*//; s/  .*//' | sort -u > "$W/commands"
[ "$(wc -l < "$W/commands")" -ge 100 ] || bad "only $(wc -l < "$W/commands") commands found"
awk -v verbs="$W/verbs" -v options="$W/options" '
  BEGIN { while ((getline v < verbs) > 0) is[v] = 1; while ((getline o < options) > 0) has[o] = 1 }
  !($2 in is) { next }                      # "quantz writes …" is a sentence
  { n++
    for (i = 3; i <= NF; i++) {
      w = $i; sub(/[=,.:].*/, "", w); gsub(/_/, "-", w)
      if (w ~ /^--?[a-zA-Z][a-zA-Z0-9-]*$/ && !(($2 " " w) in has) && !(w in skip)) print "no option " w ": " $0
    } }
  END { if (n < 60) print "only " n " commands with a verb" }' "$W/commands" > "$W/wrong"
while read -r line; do bad "$line"; done < "$W/wrong"
[ -s "$W/wrong" ] || ok

# ---- what pick says to do next ----
compared=0; : > "$W/all"; : > "$W/unlike"
for hw in t4 v100-32gb rtx-4060 rtx-4090 a100-80gb h100-80gb b200 mi300x mac-m2-16gb laptop-16gb; do
  for ask in 'qwen3-4b' 'llama-3.3-70b --tp 2 --users 64' 'mixtral-8x7b --workload reasoning' 'qwen3-0.6b --workload training' \
             'gpt-oss-20b --tolerance cost' 'llama-3.1-8b --tolerance quality --users 64' 'models/market' \
             'qwen3.5-9b --kv fp8' 'llama-3-8b --engine sglang --users 32 --ctx 8192' 'llama-3-8b --loras 4 --workload adapters' \
             'qwen2.5-7b --reserve 5 --workload math'; do
    "$Q" pick $ask --hardware $hw -q > "$W/pick" 2> /dev/null; code=$?
    sed -n '/^commands/,/^[a-z]*  *[A-Z]/p' "$W/pick" | sed '/^[a-bd-z]/d; s/^commands */             /' |
      awk '/^             quantz /{ if (c) print c; c = ""} { sub(/^ */, ""); c = c (c ? " " : "") $0 } END { if (c) print c }' > "$W/lines"
    cat "$W/lines" >> "$W/all"
    # the check that it prints has its exit code and its findings
    check=$(grep -m1 '^quantz check' "$W/lines") || continue
    # shellcheck disable=SC2086
    "$Q" ${check#quantz } -q > "$W/check" 2> /dev/null; again=$?
    [ $code = $again ] || echo "pick exits $code, its check $again: $ask on $hw" >> "$W/unlike"
    for f in pick check; do grep -E '^(error|warning|note) +[A-Z]' "$W/$f" > "$W/$f.findings"; done
    cmp -s "$W/pick.findings" "$W/check.findings" || echo "other findings than '$check'" >> "$W/unlike"
    [ $code = 1 ] || ! grep -qE '^(error|warning)' "$W/pick.findings" || echo "findings and exit $code: $ask on $hw" >> "$W/unlike"
    compared=$((compared + 1))
  done
done
sort -u "$W/all" > "$W/next"
while read -r line; do bad "$line"; done < "$W/unlike"
[ $compared -ge 40 ] && ok || bad "only $compared checks of pick were compared"
[ "$(wc -l < "$W/next")" -ge 45 ] || bad "only $(wc -l < "$W/next") commands of pick"
"$Q" quantize models/market --to gguf:Q8_0 -o "$W/m.gguf" -q > /dev/null || bad "no artifact to launch"
while read -r c; do
  case $c in
  'quantz check '*) ;;
  'quantz release '*) # the same options on a model that is there; the level may not fit it (exit 2 is then its reason)
    c=$(sed 's/MODEL-FOLDER/models\/market/; s/YOUR-TRAFFIC.jsonl/models\/market\/calibration.jsonl/; s/HELD-OUT.txt/models\/market\/eval.jsonl/
             s/TASKS.jsonl/models\/market\/tasks.jsonl/; s#-o DIR#-o '"$W"'/r -n#' <<< "$c") ;;
  'quantz explain launch '*) c=$(sed -E "s#launch (DIR/ARTIFACT|MODEL-FOLDER|DIR)#launch $W/m.gguf#; s/--ctx [0-9]*/--ctx 512/; s/--kv [a-z0-9_]*/--kv f16/" <<< "$c") ;;
  'quantz does not write '* | 'quantz plans models of '*) ok; continue ;;
  *) bad "no command: $c"; continue ;;
  esac
  # shellcheck disable=SC2086
  "$Q" ${c#quantz } -q > "$W/out" 2> "$W/err"; code=$?
  [ $code -le 1 ] && ok || bad "exit $code: $c: $(tail -1 "$W/err")"
done < "$W/next"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
