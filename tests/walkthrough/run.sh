#!/usr/bin/env bash
# usage: run.sh QUANTZ   The five walk-throughs, one per source A to E, three users, and the sources' GGUF commands: each reproduces its
# source's story with this program and asserts its numbers, corrected where checklist table K says so (quantz explain corrections); json.sh:
# all numbers in --json.
[ $# -eq 1 ] || { sed -n 2,4p "$0" >&2; exit 2; }
here=$(dirname "$0") code=0
for s in a b c d e users gguf json; do timeout 300 bash "$here/$s.sh" "$1" || code=1; done
exit $code
