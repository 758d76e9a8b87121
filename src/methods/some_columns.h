/* Some columns of a wide input, whole groups at equal distances: what is only tried (damping, λ) is tried on them: to
 * factor a matrix of all takes longer than all else (9728 columns: 0.3 TFLOP a factor). */
#ifndef QZ_METHODS_SOME_COLUMNS_H
#define QZ_METHODS_SOME_COLUMNS_H
#include <stdint.h>
#include "base/status.h"

enum { QZ_MOST_COLUMNS = 1280 };
typedef struct { size_t n, of; uint32_t *at; } qz_columns; /* at [n] ascending, of `of` */
/* At most `most` of `cols`, but a group at least; all where groups do not divide them. */
qz_status qz_columns_open(qz_columns *c, size_t group, size_t cols, size_t most, qz_error *err);
void qz_columns_release(qz_columns *c);
/* out [rows, n] of x [rows, of]; the same of a square: out [n, n] of x [of, of]. */
void qz_columns_rows(const qz_columns *c, const float *x, size_t rows, float *out);
void qz_columns_square(const qz_columns *c, const double *x, double *out);
/* out [rows, of], 0 elsewhere, from x [rows, n]. */
void qz_columns_back(const qz_columns *c, const float *x, size_t rows, float *out);
#endif
