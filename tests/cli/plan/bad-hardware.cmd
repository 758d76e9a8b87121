$Q plan llama-3-8b --hardware rtx-4099
