$Q verify models/market --agianst x
