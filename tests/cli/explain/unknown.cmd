$Q explain Q4_K_X
