/* The reference table: complete. */
#include "codecs/types.h"
#include "kernels/ops.h"
#include "kernels/ops_int.h"

void qz_ops_ref(qz_ops *ops) {
    *ops = (qz_ops){.level = QZ_CPU_REF, .tile_rows = QZ_REF_ROWS, .tile_cols = QZ_REF_COLS};
#define QZ_OP(name, type) ops->name = qz_##name##_ref;
#include "kernels/ops.def"
#undef QZ_OP
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t) {
        ops->decode[t] = qz_type_get((qz_type)t)->decode;
        ops->encode[t] = qz_type_get((qz_type)t)->encode;
        ops->compat[t] = qz_type_get((qz_type)t)->compat;
        ops->dot[t] = qz_layout_get((qz_type)t) ? qz_dot_ref : NULL;
    }
}
