$Q verify
