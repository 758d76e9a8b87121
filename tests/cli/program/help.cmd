$Q --help
