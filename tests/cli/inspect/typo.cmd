$Q inspect models/market --tensor-list
