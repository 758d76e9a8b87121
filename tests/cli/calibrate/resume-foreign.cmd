# --resume goes on with what a killed pass left; it is no --force for files that are whole
cd "$W"; M=$OLDPWD/models/market; echo mine > s.stats; echo mine > i.dat
$Q calibrate $M --data $M/calibration.jsonl -o s.stats --imatrix i.dat --samples 2 --resume -q 2>&1; echo "exit $?, $(cat s.stats i.dat | tr '\n' ' ')"
rm s.stats; $Q calibrate $M --data $M/calibration.jsonl -o s.stats --imatrix ./s.stats --samples 2 -q 2>&1; echo "exit $?"; ls
