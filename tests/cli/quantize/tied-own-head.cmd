# the configuration ties, the checkpoint has a head of its own (vllm#53170): used, said, and written as output.weight (reference 469.2822)
C=tests/golden/cases/08-tied-in-config-but-own-lm_head; $Q quantize $C/src --to gguf:F32 -o "$W/out.gguf" > /dev/null; $Q inspect "$W/out.gguf" --tensors -q | grep output.weight
for m in $C/src "$W/out.gguf"; do $Q eval "$m" --text $C/ids.jsonl -q | sed -n 3p; done
$Q quantize $C/src --to bnb -o "$W/b" -q > /dev/null; grep tie_word "$W/b/config.json"; $Q check $C/src -q 2> /dev/null | grep -A2 MOD-
