$Q explain curvature
