# hub ids and the names that hubs give; a path that does not exist is none
for m in Qwen/Qwen3-8B meta-llama/Meta-Llama-3.1-8B-Instruct llama-3.3-70b microsoft/phi-4 google/gemma-3-12b-it gemma-3-1b openai/gpt-oss-20b; do
  $Q plan $m --formats awq 2>&1 | head -1
done
for m in ./Qwen/Qwen3-8B Qwen/Qwen3-8B.gguf foo/bar hello qwen3-8; do $Q plan $m 2>&1; done
$Q quantize Qwen/Qwen3-8B --to awq -o $W/out 2>&1
# what a short name was taken for, and what it stands for besides
for h in a100 laptop rtx-4090 a100-40gb; do $Q plan qwen3-8b --hardware $h --formats awq 2>&1 | sed -n '/^note:/p'; done
for h in cpu h10 rtx-490; do $Q plan qwen3-8b --hardware $h 2>&1; done; true
