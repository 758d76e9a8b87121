$Q diff models/market
