/* Row-wise operations of the forward pass in plain float C, beside those of kernels/rows.h: results do not depend on
 * batch, threads or vector width. Source: formats/families.md sections 2, 4, 5. */
#ifndef QZ_ENGINE_ELEMENTWISE_H
#define QZ_ENGINE_ELEMENTWISE_H
#include <stdbool.h>
#include <stddef.h>
#include "kernels/rows.h"
#include "model/config.h"

/* g = act(g)·u */
void qz_gate_mul(const qz_mm *mm, qz_act act, float *g, const float *u, size_t n);
/* g = (clamp(u) + 1)·h·sigmoid(alpha·h), h = min(g, limit), clamp to ±limit (gpt-oss) */
void qz_gate_clamped(float limit, float alpha, float *g, const float *u, size_t n);
/* x /= √(mean x² + eps), the sum in order */
void qz_rms_plain(float *x, size_t n, float eps);
/* s = cap·tanh(s·scale / cap) */
void qz_softcap(float *s, size_t n, float scale, float cap);
/* Rotates one head in place; cs holds cos [half] then sin [half]. */
void qz_rope_half(float *x, const float *cs, size_t half);        /* pairs (j, j+half) */
void qz_rope_interleaved(float *x, const float *cs, size_t half); /* pairs (2j, 2j+1) */
/* y = (x − mean)·(variance + eps)^(-1/2)·w + b, b NULL: none; y may be x. Sums in double. */
void qz_layer_norm(const float *x, const float *w, const float *b, size_t n, float eps, float *y);
void qz_add_rows(float *x, const float *y, size_t n);             /* x += y */
void qz_scale_row(float *x, size_t n, float s);                   /* x = x·s */
/* The largest magnitude if it is finite and rounds to infinity in float16, else 0. */
float qz_beyond_f16(const float *x, size_t n);
bool qz_infinite_f16(const uint16_t *h, size_t n);                /* any infinity or NaN among float16 bits */
#endif
