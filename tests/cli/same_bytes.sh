#!/usr/bin/env bash
# usage: same_bytes.sh [--brief] QUANTZ [QUANTZ…]   Decision 3: the same source, recipe and data give the same bytes with every
# build given (GCC, Clang, reference kernels), every CPU level of this machine and any thread count. A zoo-sized model with ids as
# data. The machine's best level runs on one thread and on two, the others on two; --brief: the best one on two alone.
set -eu
brief=0; [ "$1" = --brief ] && { brief=1; shift; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
zoo=tests/golden/zoo/llama
for i in $(seq 1 24); do
  printf '{"ids":['; for k in $(seq 1 64); do [ "$k" -gt 1 ] && printf ','; printf '%d' $(( (i * i * 31 + k * k * 7 + i * k) % 256 )); done; printf ']}\n'
done > "$work/ids.jsonl"
first=
for q in "$@"; do
  best=1
  for cpu in avx512 avx2 ref; do
    "$q" types --cpu $cpu >/dev/null 2>&1 || { echo "$q --cpu $cpu: absent"; continue; }
    for t in 2 1; do
      [ $t = 1 ] && [ $brief$best != 01 ] && continue
      out=$work/out-$cpu-$t; rm -rf "$out"
      "$q" release $zoo --to awq:w4g32,gptq:w4g32,bnb:nf4+double,ct:fp8_dynamic,ct:w4a16+g32,ct:int8,ct:fp8,ct:nvfp4,ct:nvfp4a16,ct:mxfp4,fp8:block,gguf:Q4_0,gguf:Q8_0,gguf:Q5_1 --calib "$work/ids.jsonl" --seq-len 64 --samples 24 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN \
        --no-bench -o "$out" --cpu $cpu -t $t -q > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
      "$q" quantize $zoo --to gptq:w3g32+asym --module 'layers.0.mlp=bits:8' --module 'layers.1.self_attn=keep' --propagate quantized --calib "$work/ids.jsonl" --seq-len 64 --samples 24 --accept CAL-COUNT,CAL-RANK,CAL-DUP,CAL-LEN \
        -o "$out/propagated" --cpu $cpu -t $t -q > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
      sum=$(cd "$out" && find . -type f ! -name 'report.*' ! -name '*.card.md' | sort | xargs sha256sum | sha256sum | cut -c1-16)
      echo "$q cpu=$cpu threads=$t: $sum"
      [ -z "$first" ] && first=$sum
      [ "$sum" = "$first" ] || { echo "bytes differ"; exit 1; }
    done
    best=0
    [ $brief = 0 ] || break
  done
done
