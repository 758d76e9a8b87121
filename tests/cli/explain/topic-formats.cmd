$Q explain formats
