/* Row-wise operations of the forward pass in plain float C: sums run in 16 fixed lanes (by index), so results do not depend
 * on batch, threads or vector width. Source: formats/families.md sections 2, 4, 5. */
#ifndef QZ_ENGINE_ELEMENTWISE_H
#define QZ_ENGINE_ELEMENTWISE_H
#include <stdbool.h>
#include <stddef.h>
#include "model/config.h"

/* y = x · (mean(x²) + eps)^(-1/2) · w; y may be x. */
void qz_rms_norm(const float *x, const float *w, size_t n, float eps, float *y);
/* In place softmax of s[lo..hi); everything outside within [0, n) becomes 0. */
void qz_softmax(float *s, size_t n, size_t lo, size_t hi, float scale);
/* g = act(g)·u */
void qz_gate_mul(qz_act act, float *g, const float *u, size_t n);
/* s = cap·tanh(s·scale / cap) */
void qz_softcap(float *s, size_t n, float scale, float cap);
/* Rotates one head in place; cs holds cos [half] then sin [half]. */
void qz_rope_half(float *x, const float *cs, size_t half);        /* pairs (j, j+half) */
void qz_rope_interleaved(float *x, const float *cs, size_t half); /* pairs (2j, 2j+1) */
void qz_add_rows(float *x, const float *y, size_t n);             /* x += y */
bool qz_all_finite(const float *x, size_t n);
/* The largest magnitude if it is finite and rounds to infinity in float16, else 0. */
float qz_beyond_f16(const float *x, size_t n);
#endif
