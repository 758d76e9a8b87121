$Q blame
