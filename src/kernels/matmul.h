/* Matrix products of the engine and of calibration. One workspace (qz_mm) per engine holds the operation table of the
 * chosen CPU level and per-thread scratch; calls run on the pool of the run.
 * Exact products: every output element is one chain of fused multiply-adds along k, in order, starting from 0 (or from
 * the value already there when accumulating): bit-identical for ref (fmaf), AVX2 and AVX-512 and any thread count
 * (design.md decision 3; threads and blocks split rows and tokens, never k).
 * Runtime products: activations are quantized to 8 bits per block where the reference runtime does it, integer dots. */
#ifndef QZ_KERNELS_MATMUL_H
#define QZ_KERNELS_MATMUL_H
#include "base/run.h"
#include "codecs/coded.h"
#include "codecs/input_rounding.h"

typedef struct qz_mm qz_mm;
qz_status qz_mm_open(qz_run *run, qz_mm **out, qz_error *err); /* uses run->pool, run->cpu */
void qz_mm_free(qz_mm *mm);

/* A weight matrix [rows, cols] of any type; data for block types, coded for QZ_TYPE_CODED. Borrowed. */
typedef struct {
    qz_type type;
    size_t rows, cols;
    const void *data;
    const qz_coded *coded;
    size_t first_row;        /* of coded: the weights are its rows from here on */
    const qz_input_rounding *inputs; /* what the engine does to x in runtime arithmetic, NULL: nothing; products
                                      * take x as it is */
} qz_weights;

/* y [n, rows] = x [n, cols] · Wᵀ, exact. Weights are decoded a panel of rows at a time (bounded scratch). */
qz_status qz_mm_exact(qz_mm *mm, const qz_weights *w, const float *x, size_t n, float *y, qz_error *err);
/* Operands of a product: a [m, k] (lda), b (ldb), c [m, n] (ldc). */
typedef struct {
    size_t m, n, k;
    const float *a;
    size_t lda;
    const float *b;
    size_t ldb;
    float *c;
    size_t ldc;
} qz_product;
/* c = or += a · b [n, k]ᵀ, exact, float32. */
qz_status qz_mm_gemm_nt(qz_mm *mm, const qz_product *p, bool accumulate, qz_error *err);
/* c = a · b [k, n], exact, float32, single thread: for use inside a pool job (attention p·V). */
void qz_mm_gemm_nn_local(const qz_mm *mm, const qz_product *p);
/* The same for a · bᵀ (attention q·Kᵀ), single thread, no packing needed by the caller. */
void qz_mm_gemm_nt_local(const qz_mm *mm, const qz_product *p);
/* Both with the right operand in float16 (its rows one behind the other; p->b and p->ldb are not read), decoded to
 * float32 a piece at a time: the same chains. */
void qz_mm_gemm_nn_local_f16(const qz_mm *mm, const qz_product *p, const uint16_t *b);
void qz_mm_gemm_nt_local_f16(const qz_mm *mm, const qz_product *p, const uint16_t *b);
/* x [n] rounded to float16. */
void qz_mm_to_f16(const qz_mm *mm, const float *x, size_t n, uint16_t *out);
/* gram [cols, cols] double, full symmetric += xᵀ x over n tokens: a float FMA chain inside each block of 512 tokens
 * counted from x's row 0, blocks added in double in order. Several calls equal one if all but the last have a multiple
 * of 512 tokens. */
qz_status qz_mm_gram(qz_mm *mm, const float *x, size_t n, size_t cols, double *gram, qz_error *err);
/* cross [a.cols, b.cols] double += aᵀ b over n tokens: cross[i][j] = Σ a[t][i]·b[t][j], chained and blocked as
 * in qz_mm_gram. */
typedef struct { const float *x; size_t cols; } qz_token_rows; /* [n, cols] */
qz_status qz_mm_cross(qz_mm *mm, qz_token_rows a, qz_token_rows b, size_t n, double *cross, qz_error *err);

/* ---- runtime arithmetic ---- */
/* weights in the layout of the fast kernels (may borrow w->data when no repack pays) */
typedef struct qz_packed qz_packed;
/* Borrows w->data and w->coded until freed; may be freed before or after mm. */
qz_status qz_packed_open(qz_mm *mm, const qz_weights *w, qz_packed **out, qz_error *err);
void qz_packed_free(qz_packed *p);
uint64_t qz_packed_bytes(const qz_packed *p);      /* memory owned besides w->data */
const char *qz_packed_kernel(const qz_packed *p);  /* "q4_K×q8_K avx2" for reports */
/* y[i] [n, rows_i] = x [n, cols] · W_iᵀ for n_w <= 8 matrices that share the input: one activation quantization, one
 * job. Block types: 8-bit activations; integer groups and E2M1: 16-bit activations (op_types.h); float types, FP8, FP6
 * and bitsandbytes: float activations. Deterministic for a level and a token count n (a row's result may differ in
 * rounding between n below and above the small-n limit); integer groups and small floats equal on all levels. Values of
 * coded matrices are not rounded to the library's type here: qz_mm_exact does that. */
qz_status qz_mm_packed(qz_mm *mm, const qz_packed *const *w, size_t n_w, const float *x, size_t n, float *const *y,
                       qz_error *err);

/* Highest level of this machine (cpuid), and its name ("ref", "avx2", "avx512"). */
qz_cpu_level qz_cpu_detect(void);
const char *qz_cpu_name(qz_cpu_level l);
#endif
