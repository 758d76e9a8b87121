$Q quantize models/market --to
