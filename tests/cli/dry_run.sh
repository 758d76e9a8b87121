#!/usr/bin/env bash
# usage: dry_run.sh QUANTZ   The size that `quantize --dry-run` prints is the size of what is written, for every scheme, on a zoo
# model and on the bundled one (the manifest comes on top).
set -u
export LC_ALL=C.UTF-8 COLUMNS=400
Q=$(realpath "$1"); cd "$(dirname "$0")/../.." || exit 2
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
bash tests/cli/ids.sh > "$W/ids.jsonl"
ids="--calib $W/ids.jsonl --accept CAL-COUNT,CAL-RANK,CAL-LEN --seq-len 64 --samples 4"
market="--calib models/market/calibration.jsonl --samples 4"
passed=0 failed=0
bytes() { if [ -d "$1" ]; then find "$1" -type f ! -name quantz-manifest.json -printf '%s\n'; else stat -c %s "$1"; fi | awk '{n += $1} END {print n}'; }
compare() { # MODEL SCHEME options…
  local planned written
  planned=$("$Q" quantize "$1" --to "$2" "${@:3}" -n -q 2> /dev/null | tail -1 | grep -o '[0-9]* bytes' | cut -d' ' -f1)
  "$Q" quantize "$1" --to "$2" "${@:3}" -o "$W/out" -f -q > /dev/null 2> "$W/err" || cat "$W/err"
  written=$(bytes "$W/out")
  rm -rf "$W"/out*
  if [ -n "$planned" ] && [ "$planned" = "$written" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL  $1 $2 ${*:3}: planned $planned, written $written"; fi
}
for to in gguf:F16 gguf:Q8_0 gguf:Q4_0 gguf:Q4_K_M bnb:nf4 bnb:nf4+double bnb:fp4 bnb:int8; do compare tests/golden/zoo/llama $to; done
for to in gguf:Q5_1 awq:w4g32 gptq:w4g32 gptq:w3g32+asym gptq:w8g-1 gptq:w4g32+lm_head; do compare tests/golden/zoo/llama $to $ids; done
compare tests/golden/zoo/qwen2 gptq:w4g32+asym+act_order $ids --search compat
compare tests/golden/zoo/llama gptq:w4g32 $ids --module 'layers.0.mlp.{gate,up}_proj=bits:8,group_size:64,asym' --module 'self_attn=keep' --module 'down_proj=bits:3,group_size:-1,act_order'
for to in gguf:Q4_K_M gguf:Q8_0 bnb:nf4+double; do compare models/market $to --search compat; done
compare models/market gguf:Q4_0 $market
echo "dry run: $passed sizes as planned, $failed not"
[ $failed -eq 0 ]
