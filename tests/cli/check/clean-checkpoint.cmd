$Q check models/market
