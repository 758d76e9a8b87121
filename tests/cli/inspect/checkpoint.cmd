$Q inspect models/market
