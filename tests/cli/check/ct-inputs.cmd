# 4-bit integers with rounded inputs are another kernel than those without: vLLM's for FP8 inputs is of capability 9.0 alone
for s in ct:w4afp8 ct:w4a8; do $Q quantize models/market --to $s -o "$W/$s" -q > /dev/null 2>&1; for t in "vllm --cc 8.9" "vllm --cc 9.0" "vllm --cc 10.0" sglang; do echo "$s $t"; $Q check "$W/$s" --engine $t 2> /dev/null | grep -A2 PRE-; done; done
$Q explain launch "$W/ct:w4afp8" --engine vllm --cc 8.9 2> /dev/null | grep PRE-
