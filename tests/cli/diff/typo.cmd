$Q diff models/market models/market --strickt
