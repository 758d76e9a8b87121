/* Touches what an opened model promises: every tensor decodes at its first and last row within its bytes. */
#ifndef QZ_FUZZ_WALK_H
#define QZ_FUZZ_WALK_H
#include <stdlib.h>
#include "base/size.h"
#include "model/model.h"

static inline void fuzz_walk(const qz_model *m) {
    static float row[1 << 16];
    if (m->config.layers == 0 || !m->embed || !m->head || !m->final_norm) abort(); /* an opened model is whole */
    for (size_t i = 0; i < m->n_tensors; i++) {
        const qz_tensor_view *t = &m->tensors[i];
        if (!t->name || t->rows == 0 || t->cols == 0) abort();
        if (t->cols > sizeof row / sizeof row[0]) continue;
        qz_tensor_decode(t, 0, 1, row);
        qz_tensor_decode(t, t->rows - 1, 1, row);
    }
}
#endif
