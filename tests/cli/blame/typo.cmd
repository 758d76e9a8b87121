$Q blame models/market --tesors
