# options of other programs are answered in words; a verb's own of that name is its own
m=models/market
$Q run $m -ngl 99 -p hi 2>&1
$Q run $m --n-gpu-layers=9 -p hi 2>&1
$Q run -m $m -p hi 2>&1
$Q quantize $m --outtype q8_0 2>&1
$Q quantize $m --to awq --trust-remote-code 2>&1
$Q eval $m -ctk q8_0 2>&1
$Q explain launch $m --tensor-parallel-size 2 2>&1
$Q inspect $m --config-dir x 2>&1; true
