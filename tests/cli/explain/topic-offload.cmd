$Q explain offload
