$Q gate --metrics
