# pick vector 12
$Q pick llama-2-13b --hardware rtx-4090 --workload retrieval --ctx 64k
