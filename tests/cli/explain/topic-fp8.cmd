$Q explain fp8
