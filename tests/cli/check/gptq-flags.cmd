# both are findings, and an unfilled g_idx is no act-order
for s in zeros-8-as-v1 g_idx-zero; do $Q check tests/golden/cases/33-gptq-flags-against-data/$s --engine vllm -q 2> /dev/null | grep -A6 CHK-FLAGS; $Q check tests/golden/cases/33-gptq-flags-against-data/$s --engine vllm -q 2> /dev/null | tail -1; done
