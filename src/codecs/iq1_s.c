/* IQ1_S, 50 bytes for 256 values: d f16 @0; the low byte of a point of eight values in each byte @2; a 16-bit word @34
 * for each 32 values: three top bits of point l at bits 3l, scale s in bits 12-14, bit 15: shift down.
 * y = (d·(2s + 1))·(point ± 0.125). Needs importance. */
#include "codecs/iq1.h"
#include <float.h>

enum { N = 256, BYTES = 50, GROUPS = 8, QS = 2, QH = 34 };
_Static_assert(BYTES == 2 + N / 8 + N / 16, "layout of iq1_s");

/* Every split of the sorted values into three levels, both shifts. False: nothing to fit. */
static bool split(const float *x, const float *w, qz_iq1_split *f) {
    float sx[33] = {0}, sw[33] = {0}, best = -FLT_MAX;
    uint8_t order[32];
    size_t b1 = 0, b2 = 0;
    bool found = false;
    qz_iq1_sort(x, 32, order);
    for (size_t j = 0; j < 32; ++j) {
        sx[j + 1] = sx[j] + w[order[j]] * x[order[j]];
        sw[j + 1] = sw[j] + w[order[j]];
    }
    for (size_t i1 = 0; i1 <= 32; ++i1)
        for (size_t i2 = i1; i2 <= 32; ++i2)
            for (size_t down = 0; down < 2; ++down) {
                const float *v = qz_iq1_values[down];
                float qx = (sx[i1] - sx[0]) * v[0] + (sx[i2] - sx[i1]) * v[1] + (sx[32] - sx[i2]) * v[2];
                float q2 = (sw[i1] - sw[0]) * v[0] * v[0] + (sw[i2] - sw[i1]) * v[1] * v[1] +
                           (sw[32] - sw[i2]) * v[2] * v[2];
                if (!(q2 > 0 && qx * qx > best * q2)) continue;
                f->scale = qx / q2;
                best = f->scale * qx;
                b1 = i1;
                b2 = i2;
                f->down[0] = down;
                found = true;
            }
    if (!found) return false;
    for (size_t j = 0; j < 32; ++j) f->levels[order[j]] = j < b1 ? 0 : j < b2 ? 1 : 2;
    if (f->scale < 0) {
        for (size_t j = 0; j < 32; ++j) f->levels[j] = (uint8_t)(2 - f->levels[j]);
        f->scale = -f->scale;
        f->down[0] = !f->down[0];
    }
    f->down[1] = f->down[0];
    return true;
}

/* Points of 32 values; returns their scale, 0: nothing is stored. */
static float put_group(const float *x, const float *w, size_t b, uint8_t *o) {
    qz_iq1_split f;
    uint16_t points[4];
    if (fabsf(qz_signed_max(x, 32)) < 1e-12f || !split(x, w, &f)) return 0;
    qz_iq1_to_points(32, x, w, &f, points);
    unsigned word = f.down[0] ? 0x8000u : 0;
    for (size_t k = 0; k < 4; ++k) {
        o[QS + 4 * b + k] = (uint8_t)points[k];
        word |= (unsigned)(points[k] >> 8) << 3 * k;
    }
    qz_store_u16le(o + QH + 2 * b, (uint16_t)word);
    return f.scale;
}

void qz_iq1_s_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float w[32], scales[GROUPS];
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        const float sigma2 = 2 * qz_sum_squares(x, N) / N;
        float most = 0;
        memset(o, 0, BYTES);
        for (size_t b = 0; b < GROUPS; ++b) {
            qz_iq_weigh(x + 32 * b, importance ? importance + k + 32 * b : NULL, 32, sigma2, w);
            scales[b] = put_group(x + 32 * b, w, b, o);
            most = scales[b] > most ? scales[b] : most;
        }
        if (most == 0) {
            memset(o, 0, BYTES);
            continue;
        }
        const float d = most / 15, id = 1 / d;
        qz_f16_put(o, d * 1.125f);
        for (size_t b = 0; b < GROUPS; ++b)
            o[QH + 2 * b + 1] |= (uint8_t)(qz_iq_scale_code(id, scales[b], 7) << 4);
    }
}

void qz_iq1_s_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES)
        for (size_t l = 0; l < N / 8; ++l, y += 8) {
            const unsigned word = qz_load_u16le(p + QH + l / 4 * 2), point = p[QS + l] | (word >> l % 4 * 3 & 7) << 8;
            const float scale = qz_f16_at(p) * (float)(2 * (word >> 12 & 7) + 1), shift = word >> 15 ? -0.125f : 0.125f;
            const int8_t *v = qz_iq1_grid.values + (size_t)point * 8;
            for (size_t i = 0; i < 8; ++i) y[i] = scale * ((float)v[i] + shift);
        }
}
