$Q explain corrections
