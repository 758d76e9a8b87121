$Q inspect models/market --json
