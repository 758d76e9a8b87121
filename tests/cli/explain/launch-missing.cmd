$Q explain launch "$W/nothing"
