$Q claims models/market --onyl C-197
