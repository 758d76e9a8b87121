$Q explain zero point
