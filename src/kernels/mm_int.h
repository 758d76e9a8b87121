/* The workspace behind qz_mm and what the product files share. Private to kernels/. */
#ifndef QZ_KERNELS_MM_INT_H
#define QZ_KERNELS_MM_INT_H
#include "base/size.h"
#include "kernels/matmul.h"
#include "kernels/ops.h"

enum {
    QZ_KC = 512,            /* steps of k per pass: a multiple of every block of types.def */
    QZ_S_STRIDE = QZ_KC + 16, /* rows of the broadcast operand, padded off the cache's powers of two */
    QZ_MC = 516,            /* rows of the broadcast operand per pass: a multiple of every tile_rows */
    QZ_VC = 128             /* columns of one task: the packed panel stays in the second-level cache */
};

typedef struct {
    float *v;    /* [QZ_VC / tile_cols][QZ_KC][tile_cols] packed panels */
    float *rows; /* [tile_cols][QZ_S_STRIDE] decoded rows on their way into a panel */
} qz_mm_thread;

struct qz_mm {
    qz_ops ops;
    qz_pool *pool;
    size_t threads;
    qz_mm_thread *th;   /* [threads] */
    float *s[2];        /* [QZ_MC][QZ_S_STRIDE], alternating */
    void *scratch;      /* grows on demand: gram panels, quantized activations */
    size_t scratch_bytes;
};

/* At least n*size bytes in mm->scratch (old content lost). */
qz_status qz_mm_scratch(qz_mm *mm, size_t n, size_t size, qz_error *err);

/* One tile with `cols` <= tile_cols valid columns of c. */
void qz_mm_tile(const qz_ops *ops, size_t mr, size_t kc, const float *s, size_t s_stride, const float *v, size_t v_stride,
                float *c, size_t ldc, size_t cols, bool load);
#endif
