/* The best step of blocks with one symmetric scale: the definition (op_types.h). */
#include "base/half.h"
#include "kernels/ops_int.h"
#include <math.h>
#include <string.h>

enum { N = QZ_SYM_VALUES };

/* Error of codes that stay, one sum. */
static float error_of(const float *x, const float *w, float d, const int16_t *q) {
    float sum = 0;
    for (size_t k = 0; k < N; k++) {
        const float e = x[k] - d * (float)q[k];
        sum += (w ? w[k] * e : e) * e;
    }
    return sum;
}

/* Least squares with the codes fixed, as the file will hold it. */
static float refit(const float *x, const float *w, float d, const int16_t *q) {
    double aa = 0, ax = 0;
    for (size_t k = 0; k < N; k++) {
        const double u = q[k], wu = w ? (double)w[k] * u : u;
        aa += wu * u;
        ax += wu * (double)x[k];
    }
    if (!(aa > 0)) return d;
    const float h = qz_f16_to_f32(qz_f32_to_f16((float)(ax / aa)));
    return isfinite(h) ? h : 0;
}

static bool refine(const qz_block_shape *s, const float *x, const float *w, qz_block_fields *f) {
    static const float ones[N] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const float start = error_of(x, w, f->d, f->q);
    const bool turned = -s->q_min != s->q_max; /* the extra code can serve either sign */
    if (!isfinite(f->d) || f->d == 0 || !(start > 0) || !isfinite(start)) return false;
    float least = start, best = f->d;
    int16_t q[N], codes[N];
    memcpy(codes, f->q, sizeof codes);
    for (int sign = 0; sign < (turned ? 2 : 1); sign++) {
        float d = sign ? -f->d : f->d;
        for (int round = 0; round < 2; round++) {
            const float e = qz_round_sub_ref(s, x, w ? w : ones, d, 0, q);
            if (e < least) {
                least = e, best = d;
                memcpy(codes, q, sizeof codes);
            }
            if (round == 0) d = refit(x, w, d, q);
        }
    }
    if (!(error_of(x, w, best, codes) < start)) return false;
    f->d = best;
    memcpy(f->q, codes, sizeof codes);
    return true;
}

uint32_t qz_refine_sym_ref(const qz_block_shape *s, const float *x, const float *w, size_t n, qz_block_fields *f) {
    uint32_t changed = 0;
    for (size_t i = 0; i < n; i++)
        changed |= (uint32_t)refine(s, x + i * N, w ? w + i * N : NULL, &f[i]) << i;
    return changed;
}
