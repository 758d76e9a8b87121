# K-01, pick vector 6
$Q pick llama-3-70b --hardware h100-80gb --users 128 --ctx 2k
