# K-31: 13B "in 8 GB"
$Q pick llama-2-13b --hardware mac-m2-16gb --ctx 4096
