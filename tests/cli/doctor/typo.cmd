$Q doctor models/market models/market --jsn
