# C-12, C-190: calibration size for a medical model
$Q explain samples
