$Q explain memory
