# What sharing scales costs and what single blocks lose is measured where it is written, kept in the manifest, and seen by check;
# diff measures the blocks of any artifact.
"$Q" quantize models/market --to ct:nvfp4a16 -o "$W/out" -q | sed -n '/shared scales/p; /error of blocks/p'
"$Q" diff models/market "$W/out" | grep 'error of blocks'
grep -c block_errors "$W/out/quantz-manifest.json"
"$Q" check "$W/out" | grep -c CHK-FP4
sed -i 's/"lost":0/"lost":900/' "$W/out/quantz-manifest.json"
"$Q" check "$W/out" -q 2> /dev/null | grep -A1 CHK-FP4
