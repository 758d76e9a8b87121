#!/usr/bin/env bash
# Three users, from README and --help alone: what do I deploy, how do I make it, how do I launch it, what will it cost, how do I
# know it is good. Each question is one command; the bundled model stands in for the weights that are not here.
# usage: users.sh QUANTZ
. "$(dirname "$0")/common.sh"

say "an engineer with a merged 4B and an 8 GB card: what do I deploy?"
show "$Q" pick qwen3-4b --hardware rtx-4060
has '^deploy +AWQ W4 g128 on vLLM'; has '2\.67 GB weights'; has '7\.73 GB usable'; has 'quantz release MODEL-FOLDER --to awq:w4g128'
say "the engineer: what will making it cost, and what will it take?"
show "$Q" plan qwen3-4b --job --formats awq; has '^awq:w4g128 +8\.04 +2\.67 .* h +128 x 512'
show "$Q" plan qwen3-4b --hardware rtx-4060 --formats awq; has '7\.73 GB / +7\.20 GiB usable'    # the budget that pick counts
say "the engineer: how do I make it, and is it good?"
show "$Q" release $M --to awq --calib $M/calibration.jsonl --samples 16 --text $M/eval.jsonl --windows 4 --max-tasks 4 --tasks $M/tasks.jsonl -o "$W/engineer" -q
has 'KL'; [ -s "$W/engineer/report.md" ] || bad "no report"
A=$(find "$W/engineer" -maxdepth 1 -name '*AWQ*' -type d | head -1)
"$Q" check "$A" --engine vllm --hardware rtx-4060 --quick > "$T" 2>&1; has 'warning +CHK-SMALL'; lacks 'error +(CHK|PRE)'
say "the engineer: how do I launch it?"
show "$Q" explain launch "$A" --hardware rtx-4060 --ctx 1024 --users 1 --kv bf16
has 'vllm serve .* --quantization awq .*--max-model-len 1024 .*--max-num-seqs 1'

say "an operator with a 70B, two A100, 64 users: what do I deploy?"
show "$Q" pick llama-3.3-70b --hardware a100-80gb --tp 2 --users 64
has '^deploy .* on vLLM'; has 'KV cache fp8'; has '154\.62 GB usable'; has 'quantz check llama-3.3-70b --to [a-z0-9:_]+ --engine vllm --tp 2'
show "$Q" check llama-3.3-70b --to awq:w4g128 --engine vllm --tp 2 --hardware a100-80gb --users 64 --kv fp8 -q; lacks 'error +(CHK|PRE)'
say "the operator: what will it cost?"
show "$Q" plan llama-3.3-70b --hardware a100-80gb --tp 2 --users 64 --kv fp8 --formats awq,fp8:channel,bf16
has '^awq:w4g128 .* 39\.768'; has 'for the runtime on each of 2'
show "$Q" plan llama-3.3-70b --speed --hardware h200 --users 64 --kv fp8 --formats awq,bf16; has '^awq:w4g128 .*operations +56'; has 'do not fit h200-141gb .* bf16'
say "the operator: launch lines that fit"
show "$Q" explain launch "$A" --hardware a100-80gb --ctx 512 --users 64 --kv fp8 --tp 2
has 'tensor-parallel-size 2'; has 'max-num-seqs 64'; has 'kv-cache-dtype fp8'

say "a student with a 16 GB laptop: what do I deploy?"
show "$Q" pick Qwen/Qwen3-8B --hardware laptop-16gb
has '^deploy +GGUF Q4_K_M on llama.cpp'; has '13\.74 GB usable'; has 'quantz release MODEL-FOLDER --to gguf:Q4_K_M'
fails 1 "$Q" pick llama-3.3-70b --hardware laptop-16gb; has 'gguf:Q2_K.* 13\.74 GB usable'
say "the student: how do I make it, what is it worth, how do I run it?"
show "$Q" quantize $M --to Q4_K_M -o "$W/student.gguf" -q; has '3\.6[0-9] MB|3\.7[0-9] MB'
show "$Q" eval "$W/student.gguf" --against $M --text $M/eval.jsonl --windows 4 -q; has 'KL'
show "$Q" bench "$W/student.gguf" --repeats 1 --max-new 8 -q; has 'tokens/s|tok/s'
show "$Q" explain launch "$W/student.gguf"; has 'llama-server|llama-cli'
show "$Q" run "$W/student.gguf" -p "Convert temperature.

75 F" --max-new 24 -q; has '23\.9 C'
finish
