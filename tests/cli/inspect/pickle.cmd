# weights that only pickle can read are refused by name
cp models/market/config.json "$W"; printf "PK\003\004" > "$W/pytorch_model.bin"; $Q inspect "$W"
