$Q imatrix sum a b
