# config.json says AWQ, every tensor is float
$Q verify tests/golden/cases/32-awq-announced-weights-float/src
