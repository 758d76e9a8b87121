#!/usr/bin/env bash
# usage: run.sh [--record] QUANTZ [VERB[/CASE] …]   The command line as a person meets it.
# tests/cli/<verb>/<case>.cmd is a shell snippet; $Q is the program, $W a fresh folder. <case>.out beside it holds what it must
# print: stdout, then stderr with "2| " before each line, then "exit N". --record writes the .out files again (read the diff
# before you commit it). Numbers that time or progress of the methods change are replaced by N (normalise below).
# COLUMNS is 80 for the verbs that print pages, 400 for the others: their cases cut lines with grep, and a wrap must not depend
# on a time or a folder. program/widths sees to it that every verb fits 80.
# For every case, recorded or not:
#   a case that fails prints exactly one error line, "quantz: error: … [E-CODE]", as the last line of stderr (notes and warnings may
#   stand before it), and leaves nothing under its final name, which is $W/out… by convention (…partial, …stats and journals
#   may stay: --resume needs them);
#   a case that succeeds prints no error line.
# For every verb: --help fits 80 columns and equals docs/verbs/<verb>.md.
set -u
export LC_ALL=C.UTF-8
record=0
[ "${1:-}" = --record ] && { record=1; shift; }
[ $# -ge 1 ] || { sed -n 2,3p "$0" >&2; exit 2; }
Q=$(realpath "$1"); shift
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 2
passed=0 failed=0 recorded=0
work=$(mktemp -d); trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
export Q

normalise() { # the temporary folder, seconds, rates, memory, machine, version, and the quality figures of methods
  sed -E -e "s#$1#W#g" \
    -e '/was measured under load: /d' -e 's/[0-9]+(\.[0-9]+)? (s|ms|tokens\/s|MiB|GiB|GB\/s|t\/s)\b/N \2/g' \
    -e 's/(quantz,? (version )?)[0-9]+\.[0-9]+\.[0-9]+/\1VERSION/g' \
    -e 's/"(seconds|weight_mse|relative_error|proof_kl|peak_rss_bytes|planned_memory_bytes|ttft_ms|gen_tps)":-?[0-9.e+-]+/"\1":N/g' \
    -e 's/(proof )?KL [0-9]+\.[0-9]+( on [0-9]+ tokens)/\1KL N\2/; s/proof KL [0-9.]+/proof KL N/' \
    -e 's/full contract +[0-9].* as served \((.*), [^ ,]* [a-z0-9]*, (.*)\), [^;]*/full contract N (\1, \2)/' \
    -e 's/runtime KL +[0-9].*/runtime KL N/; s/"runtime_(kl|dppl|top)([a-z_0-9]*)":[0-9.e+-]+/"runtime_\1\2":N/g; s/"runtime_kernel":"[^"]*"/"runtime_kernel":"…"/' \
    -e 's/((sha256|found) )[0-9a-f]{16}…/\1N…/g; s/greedy: ".*"/greedy: "…"/' \
    -e 's/(rounding|with scales|feedback codes|strength) [0-9.e+-]+/\1 N/g; s/damping [0-9.]+ to [0-9.]+/damping N to N/g' -e 's/[ \t]+$//'
}
fail() { failed=$((failed + 1)); echo "FAIL $1: $2"; [ -n "${3:-}" ] && printf '%s\n' "$3" | head -${4:-20} | sed 's/^/    /'; }

check_rules() { # NAME CODE FOLDER
  local errors left
  errors=$(grep -c '^quantz: error: ' "$work/err")
  if [ "$2" -eq 0 ]; then
    [ "$errors" -eq 0 ] || { fail "$1" "exit 0 with an error line" "$(cat "$work/err")"; return 1; }
    return 0
  fi
  [ "$errors" -eq 1 ] && [[ $(tail -1 "$work/err") == 'quantz: error: '*' [E-'*']' ]] || { fail "$1" "expected one line 'quantz: error: … [E-CODE]' at the end of stderr" "$(cat "$work/err")"; return 1; }
  [ "$2" -le 3 ] || { fail "$1" "exit code $2"; return 1; }
  left=$(find "$3" -maxdepth 1 -name 'out*' ! -name '*.partial*' ! -name '*stats*' ! -name '*journal*' -print)
  [ -n "$left" ] && [ -d "$left" ] && left=$(find "$left" -mindepth 1 ! -path '*.partial*' ! -path '*stats*' ! -path '*journal*' -print)
  [ -z "$left" ] || { fail "$1" "something stands under the final name" "$left"; return 1; }
}

run_case() {
  local cmd=$1 name=${1#tests/cli/} out=${1%.cmd}.out code
  name=${name%.cmd}
  case $name in explain/* | pick/* | plan/* | types/*) export COLUMNS=80 ;; *) export COLUMNS=400 ;; esac
  W=$work/case; rm -rf "$W"; mkdir "$W"; export W
  timeout 600 bash "$cmd" > "$work/out" 2> "$work/err" < /dev/null
  code=$?
  { normalise "$W" < "$work/out"; [ -s "$work/out" ] && [ -n "$(tail -c1 "$work/out")" ] && echo
    normalise "$W" < "$work/err" | sed 's/^/2| /'; echo "exit $code"; } > "$work/got"
  check_rules "$name" "$code" "$W" || return
  if [ $record = 1 ]; then
    cmp -s "$work/got" "$out" || { cp "$work/got" "$out"; recorded=$((recorded + 1)); echo "recorded $name"; }
    passed=$((passed + 1))
  elif cmp -s "$work/got" "$out"; then passed=$((passed + 1))
  else fail "$name" "output differs from $out (< expected, > found)" "$(diff "$out" "$work/got" | cut -c1-300)"
  fi
}

wanted() { # NAME: no list given, or its verb or itself in the list
  [ ${#list[@]} -eq 0 ] && return 0
  local x; for x in "${list[@]}"; do [[ $1 == "$x" || $1 == "$x"/* ]] && return 0; done
  return 1
}
list=("$@")
# A build without libcurl speaks to no server: records of eval/served-… need one.
served=1; "$Q" eval models/market --runtime openai:http://127.0.0.1:1 --concurrency 1 2>&1 | grep -q 'has no libcurl' && served=0
for cmd in tests/cli/*/*.cmd; do
  name=${cmd#tests/cli/}
  [ $served = 0 ] && [[ $name == eval/served-* ]] && continue
  wanted "${name%.cmd}" && run_case "$cmd"
done
for verb in $("$Q" --help | sed -n '/^verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
  wanted "$verb/help" || continue
  "$Q" "$verb" --help > "$work/out" 2> "$work/err" || fail "$verb/help" "exit $?" "$(cat "$work/err")"
  [ -d "tests/cli/$verb" ] || fail "$verb/help" "no tests: write tests/cli/$verb/"
  width=$(wc -L < "$work/out")
  [ "$width" -le 80 ] || fail "$verb/help" "$width columns, expected at most 80"
  if [ $record = 1 ]; then scripts/make_verb_docs "$Q" "$verb"; fi
  if why=$(scripts/make_verb_docs --check "$Q" "$verb" 2>&1); then passed=$((passed + 1)); else fail "$verb/help" "$why"; fi
done
[ $record = 1 ] && echo "$recorded outputs recorded"
echo "cli: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
