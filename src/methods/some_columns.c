#include "methods/some_columns.h"
#include "base/size.h"
#include <string.h>

qz_status qz_columns_open(qz_columns *c, size_t group, size_t cols, size_t most, qz_error *err) {
    const size_t groups = group && cols % group == 0 ? cols / group : 1,
                 n = groups > 1 ? qz_min_size(groups, qz_max_size(1, most / group)) : 1;
    *c = (qz_columns){.n = groups > 1 ? n * group : cols, .of = cols};
    c->at = qz_alloc_array(c->n, sizeof *c->at);
    if (c->at == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory choosing among %zu columns", cols);
    for (size_t i = 0; i < c->n; i++)
        c->at[i] = (uint32_t)(groups > 1 ? i / group * groups / n * group + i % group : i);
    return QZ_OK;
}
void qz_columns_release(qz_columns *c) {
    qz_free(c->at);
    *c = (qz_columns){0};
}
void qz_columns_rows(const qz_columns *c, const float *x, size_t rows, float *out) {
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < c->n; i++) out[r * c->n + i] = x[r * c->of + c->at[i]];
}
void qz_columns_square(const qz_columns *c, const double *x, double *out) {
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = 0; j < c->n; j++) out[i * c->n + j] = x[c->at[i] * c->of + c->at[j]];
}
void qz_columns_back(const qz_columns *c, const float *x, size_t rows, float *out) {
    memset(out, 0, rows * c->of * sizeof *out);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < c->n; i++) out[r * c->of + c->at[i]] = x[r * c->n + i];
}
