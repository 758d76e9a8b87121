$Q explain desc_act
