#!/usr/bin/env bash
# Source C, the deployment pattern: a 13B on small machines, the level table, NF4, calibration that is none.
# usage: c.sh QUANTZ
. "$(dirname "$0")/common.sh"

say "C-128, K-03, K-04: the level table of the 13B"
show "$Q" plan llama-2-13b --formats Q2_K,Q3_K_S,Q3_K_M,Q4_K_S,Q4_K_M,Q5_K_M,Q6_K,Q8_0,F16
for r in Q2_K:2.9833:4.854 Q3_K_S:3.4777:5.658 Q4_K_M:4.8342:7.865 Q5_K_M:5.6727:9.229 Q6_K:6.5630:10.678 Q8_0:8.5008:13.831; do
  IFS=: read -r l bits gb <<< "$r"; has "^gguf:$l +${bits%??}[0-9]+ +$gb "
done
has '^gguf:Q3_K_M .* 6\.337 '; has '^gguf:Q4_K_S .* 7\.422 '; has '^gguf:F16 .* 26\.033 '

say "C-125, K-31: 'in 8 GB of RAM' are the weights alone"
for r in 2048:9.54 4096:11.22; do show "$Q" plan llama-2-13b --formats Q4_K_M --ctx ${r%:*}; has "^gguf:Q4_K_M .* 7\.865 +${r#*:} "; done
show "$Q" plan llama-2-13b --json --formats Q4_K_M --ctx 1; same "$(json kv_bytes_per_token)" 819200
show "$Q" plan llama-2-13b --formats Q4_K_M --kv q8_0; has '^gguf:Q4_K_M .* 9\.65 '
show "$Q" plan llama-2-13b --formats Q4_K_M --kv q8_0 --hardware mac-m2-16gb --reserve 0; has 'largest that fits: gguf:Q4_K_M'

say "C-126, K-32, K-33: NF4 of the 8B"
show "$Q" plan llama-3-8b --formats bf16,nf4,bnb:nf4+double,awq
has '^bf16 .* 16\.061 '; has '^bnb:nf4 .* 6\.0[23][0-9] '; has '^bnb:nf4\+double .* 5\.70[0-9] '; has '^awq:w4g128 .* 5\.728 '
show "$Q" quantize $M --to bnb:nf4+double -o "$W/nf4" -q
show "$Q" inspect "$W/nf4"; has 'NF4'
show "$Q" plan $M --json --formats bnb:nf4+double
same "$(of bnb:nf4+double weight_bytes)" "$("$Q" inspect "$W/nf4" --tensors --json | grep -o '"bytes":[0-9]*' | cut -d: -f2 | awk '{ s += $1 } END { print s }')"

say "K-34: 128 copies of one sentence are no calibration"
for _ in $(seq 128); do echo '{"text":"The quick brown fox"}'; done > "$W/dup.jsonl"
fails 1 "$Q" calibrate $M --data "$W/dup.jsonl" --lint; has 'CAL-DUP 1 unique of 128'; has 'CAL-RANK'
fails 1 "$Q" check $M --calib "$W/dup.jsonl"

say "C-198: 25 tokens/s of a 13B on a base M2 asks for more than it has"
show "$Q" explain speed; has '13B Q4_K_M .* 25 +196\.6'
show "$Q" plan llama-2-13b --speed --hardware mac-m2-16gb --formats Q4_K_M --ctx 1 --json
near "$(json tok_s_user)" 12.8 0.02

say "run with the source's options"
show "$Q" quantize $M --to Q4_K_M -o "$W/m.gguf" -q
show "$Q" run "$W/m.gguf" -p "Convert temperature.

75 F" --max-new 24; has '23\.9 C'

say "pick vectors 1 to 3: laptop and Mac"
show "$Q" pick llama-2-7b --hardware laptop-16gb; has '^format +gguf:Q4_K_M'; has 'f16'
show "$Q" pick llama-2-7b --hardware laptop-16gb --tolerance quality; has '^format +gguf:Q6_K'
show "$Q" pick llama-2-13b --hardware mac-m2-16gb; has '^format +gguf:Q4_K_M'; has '^KV cache +q8_0'
finish
