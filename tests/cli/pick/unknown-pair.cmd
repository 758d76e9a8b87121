# unknown stays unknown
$Q pick llama-3-8b --hardware mac-m2-16gb --engine mlx
