$Q inspect models/market --deploy
