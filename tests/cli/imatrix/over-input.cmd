cd "$W"; printf '\1\0\0\0\10\0\0\0a.weight\2\0\0\0\2\0\0\0\0\0\200\77\0\0\100\100' > a.dat; cp a.dat b.dat
$Q imatrix merge a.dat b.dat -o b.dat --force
