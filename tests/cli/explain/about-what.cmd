$Q explain models/market
