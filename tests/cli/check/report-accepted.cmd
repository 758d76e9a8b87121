# what the calibration data were accepted with is in the report too
printf '{"schema":2,"calibration_accepted":[{"code":"CAL-DUP","count":127,"finding":"127 of 128 samples equal"}],"rows":[{"name":"source","source":true,"container":"safetensors","tasks_solved":8,"tasks":10}]}' > "$W/r.json"
$Q check --report "$W/r.json" 2> /dev/null | grep -A1 ACCEPTED; $Q check --report "$W/r.json" > /dev/null
