$Q calibrate
