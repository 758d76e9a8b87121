# a family without a size names its sizes; one that this program does not run has no job
$Q plan qwen3.5 2>&1; $Q plan deepseek-v3 --job --disk 100GB
