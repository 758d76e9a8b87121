$Q inspect models/market models/market
