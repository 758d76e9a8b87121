$Q explain Q4_K_M
