$Q convert models/market --to gptk
