#!/usr/bin/env bash
# C-212: every number that plan, pick and check print is in --json too, in its own unit or 10^3, 10^6, 10^9, 2^20, 2^30 times as much
# (seconds as minutes or hours, shares as percent), with at least the printed digits; or it stands in a text of --json.
# usage: json.sh QUANTZ
. "$(dirname "$0")/common.sh"

every() { # ARGUMENTS: the same command as text and as JSON
  say "$*"
  "$Q" "$@" > "$W/text" 2> /dev/null; "$Q" "$@" --json > "$W/json" 2> /dev/null
  tr -s ' \n' '  ' < "$W/text" | tr '/' ' ' > "$T"
  asserted=$((asserted + 1))
  awk '
    function numbers(line, out,   n) { # fills out[1..n]; digits inside names ("q4_0", "llama-3-8b") are not numbers
      n = 0
      gsub(/[A-Za-z_][-A-Za-z0-9_.:+]*/, " ", line)
      while (match(line, /-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?/)) { out[++n] = substr(line, RSTART, RLENGTH); line = substr(line, RSTART + RLENGTH) }
      return n
    }
    BEGIN { units = split("1 1e3 1e6 1e9 1048576 1073741824 60 3600 0.01", unit, " ") }
    NR == FNR { all = all " " $0; n = numbers($0, found); for (i = 1; i <= n; i++) json[found[i]] = 1; next }
    {
      n = numbers($0, want)
      for (i = 1; i <= n; i++) {
        dot = index(want[i], "."); digits = dot ? length(want[i]) - dot : 0
        ok = index(all, want[i]) > 0
        for (v in json) { if (ok) break; for (k = 1; k <= units && !ok; k++) { d = v / unit[k] - want[i]; if (d < 0) d = -d; ok = d <= 0.5001 * 10 ^ -digits } }
        if (!ok) { print "not in --json: " want[i]; bad = 1 }
      }
    }
    END { exit bad }' "$W/json" "$T" > "$W/missing" || { cp "$W/missing" "$T"; bad "numbers are missing"; }
}

every plan llama-3-70b --levels --memory 8GB
every plan llama-3-70b --offload --memory 8GB --formats Q4_K_M,Q2_K
every plan llama-3-70b --ctx 2048 --users 128 --kv fp8 --hardware h100 --reserve 10 --overhead 2GB
every plan gemma-3-27b --ctx 131072 --hardware h100
every plan deepseek-v3 --hardware h200 --tp 8
every plan qwen3-next-80b-a3b --ctx 32k
every plan $M --ctx 512
every plan $M --exact
every plan llama-3-8b --speed --hardware rtx-4090 --overhead-ms 3
every plan llama-3-8b --job --disk 100GB
every plan llama-3-8b --ctx 4k,32k --users 1,8 --hardware rtx-4090
every plan --matrix 1,7,70 --hardware rtx-4090
every plan --shapes
every plan --hardware list
every pick llama-3-70b --hardware rtx-4090 --ram 64GB
every pick llama-3-70b --hardware h100 --users 128 --ctx 2048
every pick gqa-13b --hardware rtx-4090 --workload retrieval --ctx 64k
every pick qwen3-0.6b --hardware laptop-16gb
every check qwen2.5-72b --to awq --engine vllm --tp 2
every check llama-3-70b --to awq --hardware h100 --users 128 --ctx 2048
every check $M --calib $M/calibration-en.jsonl --traffic $M/calibration-fr.jsonl
finish
