$Q pick
