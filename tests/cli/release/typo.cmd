$Q release models/market --output-dir x
