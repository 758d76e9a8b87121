$Q pick llama-3-8b --hardware rtx-4090 --workload code --md "$W/page.md" > /dev/null && cat "$W/page.md"
