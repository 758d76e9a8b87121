/* Shared parts of IQ4_NL and IQ4_XS (iq4.h). */
#include "codecs/iq4.h"

const int8_t qz_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/* Where a value is as near to one entry as to the next: exact in float32, so is the comparison. */
const float qz_iq4_middles[15] = {-115.5f, -93.5f, -74, -57, -42, -28.5f, -16, -4.5f, 7, 19, 31.5f, 45.5f, 61, 79, 101};

/* Codes of the nearest entries, ties up; NaN gets 0. No branches: what the compiler turns into vectors. */
static void nearest(const float *x, float id, uint8_t code[32]) {
    int32_t c[32] = {0};
    for (size_t i = 0; i < 15; ++i)
        for (size_t j = 0; j < 32; ++j) c[j] += id * x[j] >= qz_iq4_middles[i];
    for (size_t j = 0; j < 32; ++j) code[j] = (uint8_t)c[j];
}

uint8_t qz_iq4_nearest(float x) {
    size_t c = 0;
    while (c < 15 && x >= qz_iq4_middles[c]) ++c;
    return (uint8_t)c;
}

/* One candidate: Σ w·q·x and Σ w·q². */
static void fit(const float *x, const float *w, float id, float *sumqx, float *sumq2) {
    float qx = 0, q2 = 0;
    uint8_t code[32];
    nearest(x, id, code);
    for (size_t j = 0; j < 32; ++j) {
        float q = (float)qz_iq4_values[code[j]];
        qx += w[j] * q * x[j];
        q2 += w[j] * q * q;
    }
    *sumqx = qx;
    *sumq2 = q2;
}

float qz_iq4_search(const float *x, const float *w) {
    const float max = qz_signed_max(x, 32), least = (float)qz_iq4_values[0];
    float qx, q2;
    if (fabsf(max) < 1e-15f) return 0;
    float d = -max / least;
    fit(x, w, 1 / d, &qx, &q2);
    d = q2 > 0 ? qx / q2 : 0;
    float best = d * qx;
    for (int t = -7; t <= 7; ++t) {
        fit(x, w, ((float)t + least) / max, &qx, &q2);
        if (q2 > 0 && qx * qx > best * q2) {
            d = qx / q2;
            best = d * qx;
        }
    }
    return d;
}

void qz_iq4_put(const float *x, float scale, uint8_t *out) {
    const float id = scale != 0 ? 1 / scale : 0;
    uint8_t code[32];
    nearest(x, id, code);
    for (size_t j = 0; j < 16; ++j) out[j] = (uint8_t)(code[j] | code[j + 16] << 4);
}

void qz_iq4_get(const uint8_t *in, float scale, float *y) {
    for (size_t j = 0; j < 16; ++j) {
        y[j] = scale * (float)qz_iq4_values[in[j] & 15];
        y[j + 16] = scale * (float)qz_iq4_values[in[j] >> 4];
    }
}
