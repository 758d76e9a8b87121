$Q explain launch
