# what nothing uses is a finding
$Q check tests/golden/cases/unused-buffers -q | tail -1; $Q check tests/golden/cases/09-stored-biases-unused/src -q 2> /dev/null | grep -A3 MOD-UNUSED; $Q check tests/golden/cases/09-stored-biases-unused/src -q 2> /dev/null | tail -1
