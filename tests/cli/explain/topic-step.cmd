$Q explain step
