$Q diff models/market "$W/none"
