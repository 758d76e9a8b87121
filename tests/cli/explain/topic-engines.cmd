$Q explain engines
