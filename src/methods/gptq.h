/* GPTQ for the linears that share one input: codes of any grid (code_grid.h) under the Gram matrix of that input.
 * compat: the published loop as the reference runs it (formats/hf-gptq.md section 3).
 * best: ranges searched under the Hessian, group-aware order, descent and refits (methods/feedback.h).
 * qz_gptq g; qz_gptq_prepare(&g, run, gram, cols, &opt, err); qz_gptq_quantize(&g, mm, w, rows, arena, &q, err) for
 * each linear; qz_gptq_release(&g). A Gram matrix that cannot be factored falls back to rounding to nearest with a
 * shrink search (`fallback` is set and the caller counts it), or is QZ_ENUMERIC under `strict`.
 * Source: GPTQ (arXiv 2210.17323); behaviour of AutoGPTQ 9f7d370 and GPTQModel 7.3.4. */
#ifndef QZ_METHODS_GPTQ_H
#define QZ_METHODS_GPTQ_H
#include "methods/feedback.h"

typedef struct {
    qz_feedback_options codes;  /* the grid; search parameters of best */
    bool act_order, static_groups;
    bool natural;               /* best: columns in file order instead of the group-aware one */
    double damp;                /* share of the mean diagonal; 0 = QZ_DAMP_USUAL */
    bool strict;
} qz_gptq_options;

typedef struct {
    qz_run *run;
    qz_gptq_options o;
    size_t cols;
    qz_hessian h;
    uint32_t *perm;             /* act_order without static groups: column of each position, NULL otherwise */
    bool fallback;              /* why: reason */
    char reason[160];
} qz_gptq;

/* gram [cols, cols] E[x xᵀ] (any positive factor). */
qz_status qz_gptq_prepare(qz_gptq *g, qz_run *run, const double *gram, size_t cols, const qz_gptq_options *o,
                          qz_error *err);
/* Instead where there is no matrix, an expert that no token reached: `fallback` with reason, QZ_ENUMERIC
 * under `strict`. */
qz_status qz_gptq_without(qz_gptq *g, qz_run *run, size_t cols, const qz_gptq_options *o, const char *reason,
                          qz_error *err);
/* w [rows, cols]. out (arrays in arena): codes, scales, zero_points, and g_idx [cols] if the groups are
 * not in order. */
qz_status qz_gptq_quantize(qz_gptq *g, qz_mm *mm, const float *w, size_t rows, qz_arena *arena, qz_quantized *out,
                           qz_error *err);
void qz_gptq_release(qz_gptq *g);
/* QZ_EUNSUPPORTED if scales leave float16: one clamped at its largest, or all of a tensor below what float16 tells
 * apart although `any`: the tensor holds values other than 0. */
qz_status qz_quantized_check_scales(const qz_quantized *q, bool any, qz_error *err);
/* q's weight_mse: mean squared difference of its codes to w [rows, cols]. */
void qz_quantized_measure(const float *w, qz_quantized *q);
/* The values that q stands for, [rows, cols]. */
void qz_quantized_decode(const qz_quantized *q, float *w);
#endif
