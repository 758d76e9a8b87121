$Q check llama-3-8b --hardware rtx-4091
