$Q check
