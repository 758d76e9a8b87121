echo old > "$W/page.md"; $Q pick llama-3-8b --hardware rtx-4090 --md "$W/page.md"; code=$?; cat "$W/page.md"; exit $code
