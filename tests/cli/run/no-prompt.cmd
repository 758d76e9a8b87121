$Q run models/market
