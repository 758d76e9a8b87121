$Q convert "$W/none" --to gptq
