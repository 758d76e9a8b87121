$Q pick qwen3-0.6b --hardware rtx-4090
