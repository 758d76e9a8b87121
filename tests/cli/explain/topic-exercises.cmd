$Q explain exercises
