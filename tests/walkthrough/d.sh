#!/usr/bin/env bash
# Source D, the production picker: 70B on one H100, KV cache, users, six formats, engines.
# usage: d.sh QUANTZ
. "$(dirname "$0")/common.sh"

say "C-122, C-188: 70B, 128 x 2048, one H100 80 GB"
show "$Q" plan llama-3-70b --json --ctx 2048 --users 128 --hardware h100 --reserve 0 --formats bf16,fp8:tensor,awq,gptq,ct:w4a16,ct:mxfp4,ct:nvfp4,Q4_K_M,Q5_K_M
cp "$T" "$W/f16"; same "$(json capacity_bytes)" 85520809984
show "$Q" plan llama-3-70b --json --ctx 2048 --users 128 --hardware h100 --reserve 0 --kv fp8 --formats bf16,fp8:tensor,awq,gptq,ct:w4a16,ct:mxfp4,ct:nvfp4,Q4_K_M,Q5_K_M
cp "$T" "$W/fp8"
gb() { awk -v b="$1" 'BEGIN { printf "%.2f", b / 1e9 }'; }
for r in bf16:141.11:227.01:184.06:false fp8:tensor:72.66:158.56:115.61:false awq:w4g128:39.77:125.67:82.72:true gptq:w4g128:39.79:125.69:82.74:true ct:mxfp4:40.57:126.47:83.52:true \
         ct:nvfp4:42.71:128.61:85.66:false gguf:Q4_K_M:42.51:128.41:85.46:false gguf:Q5_K_M:49.94:135.84:92.89:false; do
  fits=${r##*:} r=${r%:*} low=${r##*:}; r=${r%:*} high=${r##*:}; r=${r%:*} weights=${r##*:} name=${r%:*}
  [ "$name" = bf16 ] || [[ $name == *:* ]] || name=$name
  cp "$W/f16" "$T"; same "$(gb "$(of $name weight_bytes)")" $weights; same "$(gb "$(of $name total_bytes)")" $high; same "$(of $name fits)" false
  cp "$W/fp8" "$T"; same "$(gb "$(of $name total_bytes)")" $low; same "$(of $name fits)" $fits
done
cp "$W/f16" "$T"; same "$(of awq:w4g128 crossover_tokens)" 121361; same "$(gb "$(of ct:w4a16 weight_bytes)")" 39.50   # C-124

say "C-123, C-192: most users at 2048 under 90 % minus 2 GB"
for kv in f16:52:3:48 fp8:104:6:96; do
  IFS=: read -r type awq fp8 nv <<< "$kv"
  show "$Q" plan llama-3-70b --json --ctx 2048 --hardware h100 --reserve 10 --overhead 2GB --kv $type --formats awq,fp8:tensor,ct:nvfp4
  same "$(of awq:w4g128 max_users)" $awq; has '"format":"awq:w4g128".*"users_by_kv":\{"f16":52,"fp8":104,' # C-192: both by one command
  same "$(of fp8:tensor max_users)" $fp8; same "$(of ct:nvfp4 max_users)" $nv
done

say "C-119, C-120: KV from the real architecture"
for r in llama-2-7b:524288 llama-2-13b:819200 llama-3-8b:131072 llama-3-70b:327680 qwen3-4b:147456; do
  show "$Q" plan ${r%:*} --json --formats Q4_K_M; same "$(json kv_bytes_per_token)" ${r#*:}
done
show "$Q" plan gemma-3-27b --ctx 131072 --formats Q4_K_M; has '11\.17 GB / 10\.41 GiB'; has '66\.57 GB / 62\.00 GiB'; has '81\.3[5-9] GiB|81\.4[0-4] GiB'
show "$Q" plan llama-2-13b --ctx 65536 --json --formats awq; same "$(gb "$(json kv_bytes)")" 53.69
show "$Q" plan gqa-13b --ctx 65536 --kv fp8 --json --formats awq; same "$(gb "$(json kv_bytes)")" 5.37

say "C-129: levels of the 70B"
show "$Q" plan llama-3-70b --formats Q2_K,Q3_K_M,IQ4_XS,Q4_K_S,Q4_K_M,Q5_K_M,Q6_K,Q8_0
for r in Q2_K:26.37 Q3_K_M:34.26 IQ4_XS:38.26 Q4_K_S:40.34 Q4_K_M:42.51 Q5_K_M:49.94 Q6_K:57.88 Q8_0:74.97; do
  gb=$(awk -v l="gguf:${r%:*}" '$1 == l { printf "%.2f", $3 }' "$T"); same "$gb" ${r#*:}
done
show "$Q" plan llama-3-70b --formats IQ4_XS --imatrix yes; has '37\.895'

say "C-193: six formats over model sizes"
show "$Q" plan --matrix 1,3,7,13,34,70 --formats bf16,fp8,awq,gptq,Q4_K_M,ct:mxfp4 --hardware rtx-4090
has "2-7b"; has "tokens/s at most"; has '^awq:w4g128 .* 3\.889 \+'

say "C-154, K-28: the speeds told"
show "$Q" explain awq-gptq; has '741 against 712 tokens/s, \+4\.1 %'
show "$Q" explain speed; has '741 +2881\.7'
show "$Q" explain corrections; has 'K-01 '; has 'K-30 '; same "$(grep -c '^K-' "$T")" 42

say "C-190: how much data for a medical model, and why more is not always better"
show "$Q" explain samples; has '128 samples of 512 tokens \(65536 tokens\)'; has 'saturates'; has 'skew'; has '^ *128 +65536 '

say "U-05: which tensor-parallel sizes a 72B supports"
fails 1 "$Q" check qwen2.5-72b --engine vllm --tp 2 --to awq; has '29568|14784'
show "$Q" check qwen2.5-72b --engine vllm --tp 1 --to awq

say "C-189, pick vectors 6 and 7: the picker, with what the source said beside today"
show "$Q" pick llama-2-7b --hardware h100 --workload code; has '^format +ct:fp8_dynamic'; has 'handbooks say: FP8'; has '2\. HumanEval or your own code tasks'
fails 1 "$Q" pick llama-3-70b --hardware h100 --users 128 --ctx 2048; has '^format +awq:w4g128'; has '^KV cache +fp8'; has 'largest: 104 users at 2048 tokens'; has 'handbooks say: AWQ'
for key in format level kv calibration validation fallback; do show "$Q" pick llama-3-8b --hardware h100 --json; has "\"$key\":"; done
finish
