#include "engine/elementwise.h"
#include "base/mathx.h"
#include <float.h>
#include <math.h>

enum { LANES = 16 };

static float lane_sum(const float acc[LANES]) {
    float t[LANES];
    for (int i = 0; i < LANES; i++) t[i] = acc[i];
    for (int w = LANES / 2; w > 0; w /= 2)
        for (int i = 0; i < w; i++) t[i] += t[i + w];
    return t[0];
}

void qz_rms_norm(const float *x, const float *w, size_t n, float eps, float *y) {
    float acc[LANES] = {0};
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t i = 0; i < LANES; i++) acc[i] += x[k + i] * x[k + i];
    for (size_t i = 0; k + i < n; i++) acc[i] += x[k + i] * x[k + i];
    float sum = lane_sum(acc);
    float r = isfinite(sum) ? 1.0f / sqrtf(sum / (float)n + eps) : NAN; /* squares that overflow would give zeros: found by the caller as NaN */
    for (k = 0; k < n; k++) y[k] = x[k] * r * w[k];
}

void qz_softmax(float *s, size_t n, size_t lo, size_t hi, float scale) {
    float max = -INFINITY;
    for (size_t k = lo; k < hi; k++) max = s[k] > max ? s[k] : max;
    max *= scale;
    for (size_t k = 0; k < lo; k++) s[k] = 0;
    for (size_t k = hi; k < n; k++) s[k] = 0;
    for (size_t k = lo; k < hi; k++) s[k] = qz_expf(s[k] * scale - max);
    float acc[LANES] = {0}; /* lanes by absolute index: the zeros outside change nothing */
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t i = 0; i < LANES; i++) acc[i] += s[k + i];
    for (size_t i = 0; k + i < n; i++) acc[i] += s[k + i];
    float r = 1.0f / lane_sum(acc);
    for (k = lo; k < hi; k++) s[k] *= r;
}

void qz_gate_mul(qz_act act, float *g, const float *u, size_t n) {
    if (act == QZ_ACT_SILU)
        for (size_t k = 0; k < n; k++) g[k] = qz_silu(g[k]) * u[k];
    else
        for (size_t k = 0; k < n; k++) g[k] = qz_gelu_tanh(g[k]) * u[k];
}
void qz_softcap(float *s, size_t n, float scale, float cap) {
    for (size_t k = 0; k < n; k++) s[k] = cap * (float)qz_tanh((double)(s[k] * scale / cap));
}

void qz_rope_half(float *x, const float *cs, size_t half) {
    for (size_t j = 0; j < half; j++) {
        float a = x[j], b = x[j + half], c = cs[j], s = cs[half + j];
        x[j] = a * c - b * s;
        x[j + half] = b * c + a * s;
    }
}
void qz_rope_interleaved(float *x, const float *cs, size_t half) {
    for (size_t j = 0; j < half; j++) {
        float a = x[2 * j], b = x[2 * j + 1], c = cs[j], s = cs[half + j];
        x[2 * j] = a * c - b * s;
        x[2 * j + 1] = b * c + a * s;
    }
}
void qz_add_rows(float *x, const float *y, size_t n) {
    for (size_t k = 0; k < n; k++) x[k] += y[k];
}

/* Exponents by integer arithmetic: one pass that the compiler vectorizes. */
bool qz_all_finite(const float *x, size_t n) {
    uint32_t wild = 0;
    for (size_t i = 0; i < n; i++) wild |= (qz_f32_bits(x[i]) & 0x7fffffffu) + 0x00800000u; /* top bit: the exponent is all ones */
    return wild >> 31 == 0;
}
float qz_beyond_f16(const float *x, size_t n) {
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++) { /* magnitudes order as their bits do */
        const uint32_t a = qz_f32_bits(x[i]) & 0x7fffffffu;
        most = a > most && a < 0x7f800000u ? a : most;
    }
    return qz_bits_f32(most) >= 65520 ? qz_bits_f32(most) : 0;
}
