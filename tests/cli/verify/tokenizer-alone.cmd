$Q verify --tokenizer models/market
