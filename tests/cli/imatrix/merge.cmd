I=$PWD/tests/golden/artifacts/market.imatrix.gguf; cd "$W"; printf '\1\0\0\0\10\0\0\0a.weight\2\0\0\0\2\0\0\0\0\0\200\77\0\0\100\100' > e.dat
$Q imatrix merge "$I" "$I" -o two.gguf && $Q imatrix stats two.gguf | sed -n '1,13p' && $Q imatrix merge "$I" e.dat -o holes.gguf
