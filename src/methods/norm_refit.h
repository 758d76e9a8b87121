/* Gains of the norm before a group of rounded linears, refitted in closed form: with the codes fixed, the gains γ (1 =
 * as they were) that bring the outputs closest to the float model's, Σ_l E‖W_l x̃ − Ŵ_l (γ∘x)‖², solve [Σ_l
 * (Ŵ_lᵀŴ_l)∘H] γ = Σ_l diag(Ŵ_lᵀ W_l C) with H = E[x xᵀ], C = E[x̃ xᵀ]. Few parameters, and the file stays a standard
 * one. Source: quality-notes.md (untried ideas). qz_norm_refit n; qz_norm_refit_open(&n, h, c, cols, err);
 * qz_norm_refit_add(…) per linear; qz_norm_refit_solve(…); …_release. */
#ifndef QZ_METHODS_NORM_REFIT_H
#define QZ_METHODS_NORM_REFIT_H
#include "codecs/quantized.h"
#include "kernels/matmul.h"
#include "methods/awq.h"
#include "model/model.h"

typedef struct {
    size_t cols;
    const double *h;   /* [cols, cols], borrowed */
    float *c;          /* [cols, cols] Cᵀ */
    double *a, *b;     /* the system */
    const char *why;      /* after solve: why the gains stayed 1, NULL if they did not */
} qz_norm_refit;
/* h, c [cols, cols] means; c may be h (no propagation). */
qz_status qz_norm_refit_open(qz_norm_refit *n, const double *h, const double *c, size_t cols, qz_error *err);
/* w float weights, q what the codes stand for, both [rows, cols]. */
qz_status qz_norm_refit_add(qz_norm_refit *n, qz_mm *mm, const float *w, const float *q, size_t rows, qz_error *err);
/* gain [cols], drawn towards 1 by `ridge` of the mean diagonal; all 1 if the system cannot be solved. */
qz_status qz_norm_refit_solve(qz_norm_refit *n, qz_run *run, double ridge, float *gain, qz_error *err);
void qz_norm_refit_release(qz_norm_refit *n);
/* A linear that stays float beside coded ones: where folding or refitting has changed the gains of the norm that makes
 * its input (in->norm against the model's), its columns take the inverse. out->data NULL: nothing has changed. */
qz_status qz_norm_kept(const qz_model *m, const qz_tensor_view *t, long layer, const qz_awq_input *in, qz_arena *arena,
                       qz_folded *out, qz_error *err);
#endif
