$Q explain precision
