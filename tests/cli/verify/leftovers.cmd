# and a row
$Q verify tests/golden/cases/unused-buffers; $Q verify tests/golden/cases/09-stored-biases-unused/src
