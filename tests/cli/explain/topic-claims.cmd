$Q explain claims
