$Q explain gate
