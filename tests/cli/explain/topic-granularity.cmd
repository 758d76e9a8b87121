$Q explain granularity
