"$Q" plan qwen3-4b --hardware rtx-4060 --ram 8GB
