$Q calibrate models/market --data tests/cli/run.sh --samples 1 --accept CAL-RANK,CAL-DUP -o "$W/c.stats" -q > /dev/null; ls "$W"
