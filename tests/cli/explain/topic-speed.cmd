$Q explain speed
