$Q explain overhead
