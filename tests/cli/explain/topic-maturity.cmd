$Q explain maturity
