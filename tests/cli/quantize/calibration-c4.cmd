# a data set's name is not a file: nothing is downloaded
$Q quantize models/market --to awq --calib c4 -o "$W/out"
