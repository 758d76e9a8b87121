#include "codecs/int_ct.h"
#include "base/half.h"
#include "codecs/round_float.h"
#include "codecs/types.h"
#include <float.h>
#include <math.h>

#define ROUND 12582912.0f /* v + ROUND − ROUND: to the nearest whole number, halves to even */

/* no number: lo */
static float clampf(float v, float lo, float hi) { return v > lo ? v < hi ? v : hi : lo; }
static float half_of(const qz_int_ct *how) { return (float)(1u << (how->bits - 1)); }

/* ---- the library's ---- */
float qz_int_ct_range(const qz_int_ct *how, float lo, float hi, uint8_t *zero) {
    const float half = half_of(how), span = 2 * half - 1;
    float s, z = 0;
    lo = lo < 0 ? lo : 0, hi = hi > 0 ? hi : 0;
    if (how->sym) s = qz_round_float(how->dtype, (-lo > hi ? -lo : hi) / (span / 2));
    else {
        s = qz_round_float(how->dtype, qz_round_float(how->dtype, hi - lo) / span);
        z = qz_round_float(how->dtype, -half - qz_round_float(how->dtype, lo / s));
        z = isnan(z) ? 0 : rintf(clampf(z, -half, half - 1));
    }
    if (s == 0) s = how->dtype == QZ_TYPE_BF16 ? 0x1p-7f : how->dtype == QZ_TYPE_F16 ? 0x1p-10f : FLT_EPSILON;
    *zero = (uint8_t)(z + half);
    return s;
}

void qz_int_ct_codes(const qz_int_ct *how, const float *w, size_t n, float scale, uint8_t zero, uint8_t *codes) {
    const float half = half_of(how), z = (float)zero - half;
    for (size_t k = 0; k < n; k++) {
        const float v = qz_round_float(how->dtype, qz_round_float(how->dtype, w[k] / scale) + z);
        codes[k] = (uint8_t)(rintf(clampf(v, -half, half - 1)) + half);
    }
}

static void ends(const float *w, size_t n, float *lo, float *hi) {
    *lo = *hi = w[0];
    for (size_t k = 1; k < n; k++) {
        *lo = w[k] < *lo ? w[k] : *lo;
        *hi = w[k] > *hi ? w[k] : *hi;
    }
}

void qz_int_ct_row(const qz_int_ct *how, const float *w, size_t cols, size_t group, qz_int_row out) {
    for (size_t g = 0; g < cols / group; g++) {
        float lo, hi;
        ends(w + g * group, group, &lo, &hi);
        out.scales[g] = qz_int_ct_range(how, lo, hi, &out.zeros[g]);
        qz_int_ct_codes(how, w + g * group, group, out.scales[g], out.zeros[g], out.codes + g * group);
    }
}

/* ---- the least error ---- */
typedef struct { float scale, zero; } range;

/* In line: the search rounds every value for every candidate. */
static inline float decoded(qz_type t, float code, range r) {
    const float v = (code - r.zero) * r.scale;
    return t == QZ_TYPE_F32   ? v
           : t == QZ_TYPE_F16 ? qz_f16_nearest(v)
                              : qz_bf16_to_f32(qz_f32_to_bf16(v));
}
/* Σ (w − decoded)² of the nearest codes under r. */
static inline float error_in(qz_type t, const float *w, size_t n, range r, float top) {
    const float inv = 1.0f / r.scale;
    float acc[8] = {0};
    for (size_t k = 0; k < n; k += 8)
        for (size_t i = 0; i < 8 && k + i < n; i++) {
            const float d = w[k + i] - decoded(t, clampf(w[k + i] * inv + ROUND - ROUND + r.zero, 0, top), r);
            acc[i] += d * d;
        }
    return ((acc[0] + acc[4]) + (acc[2] + acc[6])) + ((acc[1] + acc[5]) + (acc[3] + acc[7]));
}
/* The type a constant of each loop. */
static float error_of(qz_type t, const float *w, size_t n, range r, float top) {
    return t == QZ_TYPE_F32   ? error_in(QZ_TYPE_F32, w, n, r, top)
           : t == QZ_TYPE_F16 ? error_in(QZ_TYPE_F16, w, n, r, top)
                              : error_in(QZ_TYPE_BF16, w, n, r, top);
}
static double error_of_codes(qz_type t, const float *w, size_t n, range r, const uint8_t *codes) {
    double sum = 0;
    for (size_t k = 0; k < n; k++) {
        const double d = (double)w[k] - (double)decoded(t, (float)codes[k], r);
        sum += d * d;
    }
    return sum;
}

typedef struct { const qz_int_ct *how; const float *w; size_t n; range best; float error; } search;

static void try_range(search *s, float scale, float zero) {
    const range r = {qz_round_float(s->how->dtype, scale), zero};
    const float top = 2 * half_of(s->how) - 1;
    if (!(r.scale > 0) || !isfinite(r.scale) || !isfinite(1.0f / r.scale)) return;
    const float e = error_of(s->how->dtype, s->w, s->n, r, top);
    if (e < s->error) s->error = e, s->best = r;
}

/* From a little above the whole range down to what few bits gain by clipping; zero points around the middle that the
 * range asks for. */
static void try_all(search *s, float lo, float hi) {
    enum { STEPS = 40 };
    const float half = half_of(s->how), top = 2 * half - 1, m = -lo > hi ? -lo : hi,
                span = s->how->bits > 4 ? 0.30f : 0.60f;
    for (int i = 0; i < STEPS; i++) {
        const float p = 1.04f - span * (float)i / (float)STEPS;
        if (s->how->sym) {
            try_range(s, 2 * m * p / top, half);
            continue;
        }
        const float scale = (hi - lo) * p / top, z0 = rintf(-(lo + hi) / (2 * scale) + top / 2);
        for (int dz = -1; dz <= 1 && scale > 0; dz++) try_range(s, scale, clampf(z0 + (float)dz, 0, top));
    }
}

/* The scale with the least squares for the codes of the best range, as long as that gains. */
static void refit(search *s) {
    const float top = 2 * half_of(s->how) - 1;
    for (int turn = 0; turn < 3; turn++) {
        const range r = s->best;
        const float before = s->error;
        double wq = 0, qq = 0;
        for (size_t k = 0; k < s->n; k++) {
            const double q = (double)(clampf(rintf(s->w[k] / r.scale) + r.zero, 0, top) - r.zero);
            wq += (double)s->w[k] * q, qq += q * q;
        }
        if (qq > 0) try_range(s, (float)(wq / qq), r.zero);
        if (s->error >= before) break;
    }
}

static void best_group(const qz_int_ct *how, const float *w, size_t n, qz_int_row out) {
    float lo, hi;
    search s = {how, w, n, {0, 0}, INFINITY};
    ends(w, n, &lo, &hi);
    *out.scales = qz_int_ct_range(how, lo, hi, out.zeros);
    qz_int_ct_codes(how, w, n, *out.scales, *out.zeros, out.codes);
    if (lo == 0 && hi == 0) return;
    try_all(&s, lo, hi);
    try_range(&s, *out.scales, *out.zeros);
    if (s.error == INFINITY) return; /* no scale of this type serves: as the library has it */
    refit(&s);
    /* the codes themselves: by division, a tie may fall otherwise than in the search */
    const float top = 2 * half_of(how) - 1;
    double mine = 0;
    for (size_t k = 0; k < n; k++) {
        const float q = clampf(rintf(w[k] / s.best.scale) + s.best.zero, 0, top);
        const double d = (double)w[k] - (double)decoded(how->dtype, q, s.best);
        mine += d * d;
    }
    if (mine > error_of_codes(how->dtype, w, n, (range){*out.scales, *out.zeros}, out.codes)) return;
    for (size_t k = 0; k < n; k++)
        out.codes[k] = (uint8_t)clampf(rintf(w[k] / s.best.scale) + s.best.zero, 0, top);
    *out.scales = s.best.scale;
    *out.zeros = (uint8_t)s.best.zero;
}

void qz_int_ct_best_row(const qz_int_ct *how, const float *w, size_t cols, size_t group, qz_int_row out) {
    for (size_t g = 0; g < cols / group; g++)
        best_group(how, w + g * group, group, (qz_int_row){out.codes + g * group, out.scales + g, out.zeros + g});
}
