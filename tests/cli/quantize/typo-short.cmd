$Q quantize models/market -Z
