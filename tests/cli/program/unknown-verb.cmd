$Q quantise models/market
