# the commands carry every word of the question, in --json too; what this program cannot make is said, and no command names it
$Q pick llama-3-8b --memory 24GB --cc 8.6 --users 4 --ctx 8k --workload math --json 2> /dev/null | grep -oE '"(commands|by_other_tools)":\[[^]]*\]'
$Q pick qwen3-0.6b --hardware t4 --json | grep -oE '"commands":\[[^]]*\]'
$Q pick qwen3.5-9b --hardware h100-80gb --json | grep -oE '"(commands|by_other_tools)":\[[^]]*\]'
$Q pick llama-3-70b --hardware a100-80gb --workload math --json 2> /dev/null | grep -oE '"(commands|by_other_tools)":\[[^]]*\]'
$Q pick llama-3-8b --hardware rtx-4090 | grep -A3 '^fallback'
