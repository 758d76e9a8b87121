$Q explain lineage
