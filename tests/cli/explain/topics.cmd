$Q explain
