$Q quantize models/market -qZ
