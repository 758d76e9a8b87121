$Q explain outlier
