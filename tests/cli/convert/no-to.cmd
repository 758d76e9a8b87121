$Q convert models/market
