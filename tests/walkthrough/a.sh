#!/usr/bin/env bash
# Source A, the operational pipeline: a merged fine-tune becomes an AWQ folder and GGUF files, and one table says what each costs.
# usage: a.sh QUANTZ
. "$(dirname "$0")/common.sh"

say "sizes of the 4B model, GB and GiB named"
show "$Q" plan qwen3-4b --json --formats bf16,awq,Q4_K_M,Q5_K_M,Q8_0
same "$(of bf16 weight_bytes)" 8044936192                     # C-103
same "$(of awq:w4g128 weight_bytes)" 2665925632
show "$Q" plan qwen3-4b --formats bf16,awq,Q4_K_M,Q5_K_M,Q8_0 --ctx 1
has '^bf16 .* 8\.045 +8\.0[45] +7\.49'                         # 8.04 GB / 7.49 GiB
has '^awq:w4g128 .* 2\.666 +2\.67 +2\.48'                      # K-10: 2.483 GiB is what the script calls GB
has '^gguf:Q4_K_M .* 2\.491'; has '^gguf:Q5_K_M .* 2\.884'; has '^gguf:Q8_0 .* 4\.274'   # C-127
show "$Q" explain memory
has 'qwen3-4b .* 3\.02x'                                       # K-10: not 3.2 times

say "K-08: Q5_K_M against Q4_K_M is not 25 % (4B: 15.74 by bytes; table K's 15.8 comes from GB with three digits)"
for want in llama-2-7b:17.2 llama-2-13b:17.3 llama-3-8b:16.5 qwen3-4b:15.74; do
  show "$Q" plan ${want%:*} --json --formats Q4_K_M,Q5_K_M
  digits "$(awk -v a="$(of gguf:Q5_K_M weight_bytes)" -v b="$(of gguf:Q4_K_M weight_bytes)" 'BEGIN { printf "%.9g", 100 * (a / b - 1) }')" ${want#*:}
done
digits "$(awk -v a="$(of gguf:Q5_K_M weight_bytes)" -v b="$(of gguf:Q4_K_M weight_bytes)" 'BEGIN { printf "%.9g", 100 * (sprintf("%.3f", a / 1e9) / sprintf("%.3f", b / 1e9) - 1) }')" 15.8

say "K-11, C-109: the speeds told, and what they ask of the memory"
show "$Q" explain speed
has 'Qwen3-4B FP16 .* 40 +321\.8'; has 'Qwen3-4B AWQ .* 110 +293\.3'
same "$(awk 'BEGIN { printf "%.2f", 110 / 40 }')" 2.75

say "the chain on the bundled model: plan, calibrate once, four artifacts, the sizes as planned"
show "$Q" plan $M --exact --json --formats Q4_K_M,Q5_K_M,Q8_0,F16,awq
cp "$T" "$W/plan"
show "$Q" calibrate $M --data $M/calibration.jsonl --samples 16 -o "$W/stats" -q
for l in Q4_K_M Q5_K_M Q8_0 F16; do
  show "$Q" quantize $M --to gguf:$l -o "$W/m.$l.gguf" -q
  cp "$W/plan" "$T"; same "$(of gguf:$l file_bytes)" "$(stat -c %s "$W/m.$l.gguf")"
done
show "$Q" quantize $M --to awq --stats "$W/stats" -o "$W/m-AWQ" -q
cp "$W/plan" "$T"; same "$(of awq:w4g128 weight_bytes)" 4556800
same "$(of awq:w4g128 file_bytes)" "$(find "$W/m-AWQ" -type f ! -name 'quantz-manifest.json' -printf '%s\n' | awk '{ s += $1 } END { print s }')"
show "$Q" inspect "$W/m-AWQ"; has 'W4 g128'
show "$Q" verify "$W/m.Q4_K_M.gguf"

say "quality: perplexity and KL against the source on the same tokens"
head -12 $M/eval.jsonl > "$W/eval.jsonl"
show "$Q" eval "$W/m.Q4_K_M.gguf" --against $M --text "$W/eval.jsonl"
has 'against source'; has 'KL divergence'; has 'GATE-NOTASK'

say "deployment: the AWQ line carries dtype float16, C-83"
show "$Q" explain launch "$W/m-AWQ"
has 'vllm serve .*m-AWQ[ \\]+--quantization awq[ \\]+--dtype float16[ \\]+--max-model-len 1024'
show "$Q" explain launch "$W/m.Q4_K_M.gguf"; has 'llama-server -m .*m\.Q4_K_M\.gguf'; has 'FROM .*m\.Q4_K_M\.gguf'

say "C-140: the 0.6B stays in 16 bits"
show "$Q" pick qwen3-0.6b --hardware rtx-4090; has '^format +bf16'
finish
