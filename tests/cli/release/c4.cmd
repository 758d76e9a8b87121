$Q release models/market --to awq --calib c4 -o "$W/out"
