# refused as GPTQ and bitsandbytes are
$Q inspect tests/golden/cases/32-awq-announced-weights-float/src
