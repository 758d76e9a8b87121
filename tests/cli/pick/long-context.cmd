# pick vector 13
$Q pick gqa-13b --hardware rtx-4090 --workload retrieval --ctx 64k | head -24
