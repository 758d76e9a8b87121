#include "engine/elementwise.h"
#include "base/mathx.h"
#include <float.h>
#include <math.h>

void qz_gate_mul(const qz_mm *mm, qz_act act, float *g, const float *u, size_t n) {
    if (act == QZ_ACT_SILU) qz_mm_silu_mul(mm, g, u, n);
    else
        for (size_t k = 0; k < n; k++) g[k] = qz_gelu_tanh(g[k]) * u[k];
}
void qz_gate_clamped(float limit, float alpha, float *g, const float *u, size_t n) {
    for (size_t k = 0; k < n; k++) {
        const float h = g[k] > limit ? limit : g[k], up = u[k] > limit ? limit : u[k] < -limit ? -limit : u[k];
        g[k] = (up + 1) * (h / (1 + qz_expf(-alpha * h)));
    }
}
void qz_rms_plain(float *x, size_t n, float eps) {
    float sum = 0;
    for (size_t k = 0; k < n; k++) sum += x[k] * x[k];
    const float by = 1 / sqrtf(sum / (float)n + eps);
    for (size_t k = 0; k < n; k++) x[k] *= by;
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
void qz_layer_norm(const float *x, const float *w, const float *b, size_t n, float eps, float *y) {
    double sum = 0, square = 0;
    for (size_t k = 0; k < n; k++) sum += (double)x[k];
    const double mean = sum / (double)n;
    for (size_t k = 0; k < n; k++) square += ((double)x[k] - mean) * ((double)x[k] - mean);
    const double scale = 1 / sqrt(square / (double)n + (double)eps);
    for (size_t k = 0; k < n; k++) y[k] = (float)(((double)x[k] - mean) * scale) * w[k] + (b ? b[k] : 0);
}
void qz_add_rows(float *x, const float *y, size_t n) {
    for (size_t k = 0; k < n; k++) x[k] += y[k];
}
void qz_scale_row(float *x, size_t n, float s) {
    for (size_t k = 0; k < n; k++) x[k] *= s;
}

float qz_beyond_f16(const float *x, size_t n) {
    float most = 0;
    for (size_t i = 0; i < n; i++) most = fabsf(x[i]) > most && isfinite(x[i]) ? fabsf(x[i]) : most;
    return most >= 65520 ? most : 0;
}
bool qz_infinite_f16(const uint16_t *h, size_t n) {
    unsigned wild = 0;
    for (size_t i = 0; i < n; i++) wild |= (h[i] & 0x7fffu) + 0x0400u; /* exponent of all ones */
    return wild >> 15 != 0;
}
