# codes are names too
$Q explain CHK-SMALLL 2>&1; $Q explain F-AWG
