#!/usr/bin/env bash
# Sixteen lines of token ids below 256: calibration data for the zoo's models, which have no tokenizer.
for i in $(seq 1 16); do
  printf '{"ids":['
  for k in $(seq 1 64); do printf '%s%d' "$([ "$k" -gt 1 ] && echo ,)" $(((i * i * 31 + k * k * 7 + i * k) % 256)); done
  printf ']}\n'
done
