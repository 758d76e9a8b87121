# ModelOpt gives q, k and v scales of their own; the folder keeps all else byte for byte, and nothing is found any more
. tests/cli/convert/faulty.sh; make_folder modelopt:fp8 "$W/m" --search compat --calib models/market/calibration.jsonl --samples 4
said "$W/m"; $Q convert "$W/m" --repair -o "$W/out"; said "$W/out"; $Q verify "$W/out" | grep -c FAILED; $Q convert "$W/out" --repair -o "$W/out2"
$Q eval "$W/out" --against models/market --text models/market/eval.jsonl --windows 4 -q | grep 'KL div' | sed 's/0\.0000[0-9]*.*/below 0.0001/'
