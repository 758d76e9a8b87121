# parts, buffers of any type and rank, a second copy of the tied embedding, biases of zeros
for m in 09-stored-biases-unused/src unused-buffers; do $Q inspect tests/golden/cases/$m; done; $Q inspect tests/golden/cases/09-stored-biases-unused/src --json
