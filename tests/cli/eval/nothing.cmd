$Q eval models/market
