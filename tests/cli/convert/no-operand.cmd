$Q convert --to gptq
