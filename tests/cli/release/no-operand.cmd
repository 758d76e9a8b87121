$Q release
