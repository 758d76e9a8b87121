#include "kernels/dense.h"
#include "kernels/matmul.h"
#include "kernels/ops.h"

static qz_ops ops_of(qz_cpu_level level) {
    qz_ops ops;
    qz_cpu_level have = qz_cpu_detect();
    (void)qz_ops_for(level < have ? level : have, &ops);
    return ops;
}

qz_dsub_fn qz_dsub(qz_cpu_level level) { return ops_of(level).dsub; }
qz_add_rows_fn qz_rows_adder(qz_cpu_level level) { return ops_of(level).add_rows; }
