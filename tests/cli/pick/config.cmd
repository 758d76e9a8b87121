$Q pick models/market/config.json --hardware laptop-16gb | head -4
