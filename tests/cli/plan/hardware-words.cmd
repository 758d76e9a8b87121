# a name is found by whole words of it: another card is not
for h in "rtx 4090" RTX4060 h100 rtx-2080 rtx-409; do $Q plan llama-3-8b --formats awq --hardware "$h" 2>&1 | grep -E "error|device" | head -1; done
