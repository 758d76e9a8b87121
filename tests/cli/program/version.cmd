$Q --version
