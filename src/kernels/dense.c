#include "kernels/dense.h"
#include "kernels/matmul.h"
#include "kernels/ops.h"

qz_dsub_fn qz_dsub(qz_cpu_level level) {
    qz_ops ops;
    qz_cpu_level have = qz_cpu_detect();
    (void)qz_ops_for(level < have ? level : have, &ops);
    return ops.dsub;
}
