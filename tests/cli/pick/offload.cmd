$Q pick llama-3-70b --hardware rtx-4060 --ram 64GB
