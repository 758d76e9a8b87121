$Q inspect
