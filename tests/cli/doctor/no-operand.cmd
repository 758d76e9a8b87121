$Q doctor models/market
