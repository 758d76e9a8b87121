/* IQ1_M, 56 bytes for 256 values: the low byte of a point of eight values in each byte @0; a nibble for each point
 * @32, low first: its three top bits, bit 3: shift down; four 16-bit words @48: scale s of 16 values b at bits 3·(b%4)
 * of word b/4, and a quarter of d (f16) in the top four bits of each. y = (d·(2s + 1))·(point ± 0.125). */
#include "codecs/iq1.h"
#include <float.h>

enum { N = 256, BYTES = 56, GROUPS = 16, QH = 32, SCALES = 48 };
_Static_assert(BYTES == N / 8 + N / 16 + N / 32, "layout of iq1_m");

/* Sums of one half of the values over the sorted order, of a split (i1, i2) with either shift. */
typedef struct { float x[17], w[17]; } half_sums;
static float fit_x(const half_sums *s, size_t i1, size_t i2, bool down) {
    return s->x[16] * qz_iq1_values[down][2] - (s->x[i1] + s->x[i2]);
}
static float fit_w(const half_sums *s, size_t i1, size_t i2, bool down) {
    const float *v = qz_iq1_values[down];
    return s->w[16] * v[2] * v[2] + s->w[i1] * (v[0] * v[0] - v[1] * v[1]) + s->w[i2] * (v[1] * v[1] - v[2] * v[2]);
}

/* Every split of the sorted values into three levels, each half with its own shift. False: nothing to fit. */
static bool split(const float *x, const float *w, qz_iq1_split *f) {
    half_sums s[2] = {{{0}, {0}}, {{0}, {0}}};
    float best = -FLT_MAX;
    uint8_t order[16];
    size_t b1 = 0, b2 = 0;
    bool found = false;
    qz_iq1_sort(x, 16, order);
    for (size_t j = 0; j < 16; ++j)
        for (size_t h = 0; h < 2; ++h) {
            const bool mine = order[j] / 8 == h;
            s[h].x[j + 1] = mine ? s[h].x[j] + w[order[j]] * x[order[j]] : s[h].x[j];
            s[h].w[j + 1] = mine ? s[h].w[j] + w[order[j]] : s[h].w[j];
        }
    for (size_t i1 = 0; i1 <= 16; ++i1)
        for (size_t i2 = i1; i2 <= 16; ++i2)
            for (size_t k = 0; k < 4; ++k) {
                float qx = fit_x(&s[0], i1, i2, k / 2) + fit_x(&s[1], i1, i2, k % 2);
                float q2 = fit_w(&s[0], i1, i2, k / 2) + fit_w(&s[1], i1, i2, k % 2);
                if (!(q2 > 0 && qx * qx > best * q2)) continue;
                f->scale = qx / q2;
                best = f->scale * qx;
                b1 = i1;
                b2 = i2;
                f->down[0] = k / 2;
                f->down[1] = k % 2;
                found = true;
            }
    if (!found) return false;
    for (size_t j = 0; j < 16; ++j) f->levels[order[j]] = j < b1 ? 0 : j < b2 ? 1 : 2;
    if (f->scale < 0) {
        for (size_t j = 0; j < 16; ++j) f->levels[j] = (uint8_t)(2 - f->levels[j]);
        f->scale = -f->scale;
        f->down[0] = !f->down[0];
        f->down[1] = !f->down[1];
    }
    return true;
}

/* Points of the 16 values b; returns their scale, 0: nothing is stored. */
static float put_group(const float *x, const float *w, size_t b, uint8_t *o) {
    qz_iq1_split f;
    uint16_t points[2];
    if (fabsf(qz_signed_max(x, 16)) < 1e-7f || !split(x, w, &f)) return 0;
    qz_iq1_to_points(16, x, w, &f, points);
    for (size_t k = 0; k < 2; ++k) {
        o[2 * b + k] = (uint8_t)points[k];
        o[QH + b] |= (uint8_t)((points[k] >> 8 | (f.down[k] ? 8 : 0)) << 4 * k);
    }
    return f.scale;
}

static unsigned point_at(const uint8_t *p, size_t l) {
    return p[l] | (unsigned)(p[QH + l / 2] >> l % 2 * 4 & 7) << 8;
}
static bool down_at(const uint8_t *p, size_t l) { return p[QH + l / 2] >> l % 2 * 4 & 8; }

/* Scale codes, and d fitted to all values of the block, those of empty groups among them. */
static void finish(const float *x, const float *importance, float sigma2, const float *scales, float most, uint8_t *o) {
    float d = most / 15, qx = 0, q2 = 0, w[16];
    const float id = 1 / d;
    uint16_t words[4] = {0};
    for (size_t b = 0; b < GROUPS; ++b) {
        const unsigned s = qz_iq_scale_code(id, scales[b], 7);
        words[b / 4] |= (uint16_t)(s << 3 * (b % 4));
        qz_iq_weigh(x + 16 * b, importance ? importance + 16 * b : NULL, 16, sigma2, w);
        for (size_t i = 0; i < 16; ++i) {
            const size_t l = 2 * b + i / 8;
            float q = qz_iq1_values[down_at(o, l)][qz_iq1_grid.levels[(size_t)point_at(o, l) * 8 + i % 8]] *
                      (float)(2 * s + 1);
            qx += w[i] * q * x[16 * b + i];
            q2 += w[i] * q * q;
        }
    }
    if (q2 > 0) d = qx / q2;
    const unsigned h = qz_f32_to_f16(d * 1.1125f);
    for (size_t i = 0; i < 4; ++i)
        qz_store_u16le(o + SCALES + 2 * i, (uint16_t)(words[i] | (h >> 4 * i & 15) << 12));
}

void qz_iq1_m_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float w[16], scales[GROUPS];
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        const float *weights = importance ? importance + k : NULL;
        const float sigma2 = 2 * qz_sum_squares(x, N) / N;
        float most = 0;
        memset(o, 0, BYTES);
        for (size_t b = 0; b < GROUPS; ++b) {
            qz_iq_weigh(x + 16 * b, weights ? weights + 16 * b : NULL, 16, sigma2, w);
            scales[b] = put_group(x + 16 * b, w, b, o);
            most = scales[b] > most ? scales[b] : most;
        }
        if (most != 0) finish(x, weights, sigma2, scales, most, o);
    }
}

void qz_iq1_m_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES) {
        unsigned h = 0;
        for (size_t i = 0; i < 4; ++i) h |= (unsigned)(qz_load_u16le(p + SCALES + 2 * i) >> 12) << 4 * i;
        const float d = qz_f16_to_f32((uint16_t)h);
        for (size_t l = 0; l < N / 8; ++l, y += 8) {
            const unsigned s = qz_load_u16le(p + SCALES + l / 8 * 2) >> l / 2 % 4 * 3 & 7;
            const float scale = d * (float)(2 * s + 1), shift = down_at(p, l) ? -0.125f : 0.125f;
            const int8_t *v = qz_iq1_grid.values + (size_t)point_at(p, l) * 8;
            for (size_t i = 0; i < 8; ++i) y[i] = scale * ((float)v[i] + shift);
        }
    }
}
