#!/usr/bin/env bash
# usage: with.sh MODE COMMAND…   Starts serve_model (beside the program $Q, or in $SERVE) on models/market, or $SERVED, in MODE,
# runs COMMAND with "URL" in its words replaced by the server's address, and prints what it printed with the port as PORT.
set -u
mode=$1; shift
coproc S { exec "${SERVE:-$(dirname "$Q")/tests/serve_model}" "${SERVED:-models/market}" "$mode"; }
read -r port <&"${S[0]}" || { echo "with.sh: no server" >&2; exit 9; }
out=$(mktemp) err=$(mktemp)
"${@//URL/openai:http://127.0.0.1:$port/v1}" > "$out" 2> "$err"
code=$?
sed "s/127.0.0.1:$port/127.0.0.1:PORT/g" "$out"
sed "s/127.0.0.1:$port/127.0.0.1:PORT/g" "$err" >&2
rm -f "$out" "$err"
exit $code
