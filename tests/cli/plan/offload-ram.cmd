# what the card does not hold is judged against the memory beside it; a machine without a card has nothing to deal out
$Q plan llama-3-70b --offload --hardware rtx-4090 --ram 32GB --formats Q4_K_M,Q8_0; $Q plan llama-3-70b --offload --hardware rtx-4090 --formats Q4_K_M | grep -- --ram
$Q plan llama-3-8b --offload --hardware laptop-16gb
