/* Private to the files of doctor. */
#ifndef QZ_ARTIFACTS_DOCTOR_INT_H
#define QZ_ARTIFACTS_DOCTOR_INT_H
#include "artifacts/diff_int.h"
#include "artifacts/doctor.h"

/* A tensor of both models: w of the source, v of the artifact, [rows, cols] in one order; of a large
 * one the first rows. */
typedef struct {
    const qz_source *a, *b;
    const qz_tensor_view *x, *y;
    const float *w, *v;
    size_t rows, cols, heads; /* heads: whose rows the rotation pairs; 0: none, or not all rows */
    qz_arena *arena;
} qz_doctor_pair;
/* sqrt(Σ(v - w)² / Σw²); infinite where there is nothing to compare with. */
double qz_doctor_error(const qz_doctor_pair *p);
/* Worth a look: further off than the best rounding of its bits leaves it, or off to one side. */
bool qz_doctor_suspects(const qz_doctor_pair *p, double rounding);
/* The cause in words (arena); NULL: none, as long as the error is at most `allowed` (what methods that make up for
 * errors elsewhere leave). */
qz_status qz_doctor_cause(const qz_doctor_pair *p, double allowed, const char **cause, qz_error *err);
#endif
