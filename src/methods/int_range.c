/* Scale and zero point of one group as the reference finds them (formats/hf-gptq.md section 3): range with 0 in it, and
 * the optional shrink search under Σ|error|^norm. float32 throughout; the file's float16 rounding comes later. */
#include "base/bytes.h"
#include "methods/int_grid.h"
#include <math.h>

enum { SHRINKS = 80, GRID = 100 };

/* d^norm for d >= 0, by exp2(norm·log2 d): polynomials within 1e-6, in plain float, the same bits everywhere. */
static inline float power(float d, float norm) {
    if (!(d > 1e-18f)) return 0;
    uint32_t bits = qz_f32_bits(d);
    float e = (float)(int32_t)((bits >> 23) & 0xffu) - 127.0f, m = qz_bits_f32((bits & 0x7fffffu) | 0x3f800000u);
    if (m > 1.41421356f) {
        m *= 0.5f;
        e += 1.0f;
    }
    float t = (m - 1.0f) / (m + 1.0f), t2 = t * t; /* log2 m = 2/ln2 · atanh t */
    float y = norm * (e + t * (2.88539008f + t2 * (0.96179669f + t2 * (0.57707802f + t2 * 0.41219859f))));
    float n = y + 12582912.0f - 12582912.0f, f = (y - n) * 0.69314718f;
    if (n < -126.0f) return 0;
    if (n > 126.0f) return INFINITY;
    float p = 1.0f + f * (1.0f + f * (0.5f + f * (0.16666667f +
                                                  f * (0.041666668f + f * (0.0083333338f + f * 0.0013888889f)))));
    return p * qz_bits_f32((uint32_t)((int32_t)n + 127) << 23);
}

static float range_error(const float *t, size_t g, float s, float z, float qmax, float norm) {
    float acc[8] = {0};
    for (size_t k = 0; k < g; k += 8)
        for (size_t i = 0; i < 8 && k + i < g; i++) {
            float q = t[k + i] / s + 12582912.0f - 12582912.0f + z;
            q = q < 0 ? 0 : q > qmax ? qmax : q;
            float d = s * (q - z) - t[k + i];
            acc[i] += power(d < 0 ? -d : d, norm);
        }
    return ((acc[0] + acc[4]) + (acc[2] + acc[6])) + ((acc[1] + acc[5]) + (acc[3] + acc[7]));
}

qz_code_range qz_int_reference_range(const qz_int_grid *grid, const float *t, size_t n, float norm) {
    const float qmax = grid->top, least = grid->least_zero;
    qz_code_range r;
    float lo = 0, hi = 0;
    for (size_t k = 0; k < n; k++) {
        lo = t[k] < lo ? t[k] : lo;
        hi = t[k] > hi ? t[k] : hi;
    }
    if (grid->sym) {
        hi = -lo > hi ? -lo : hi;
        /* a group with no negative value keeps lo = 0 and loses half of its codes: the reference's rule */
        if (lo < 0) lo = -hi;
    }
    if (lo == 0 && hi == 0) lo = -1, hi = 1;
    r.scale = (hi - lo) / qmax;
    r.zero = grid->sym ? (qmax + 1) / 2 : rintf(-lo / r.scale);
    if (!grid->sym && r.zero < least) { /* the range moves up: fewer steps for what lies above 0 */
        r.zero = least;
        r.scale = hi / (qmax - r.zero);
    }
    if (!(norm > 0)) return r;
    float best = INFINITY;
    for (int i = 0; i < SHRINKS; i++) {
        float p = 1.0f - (float)i / (float)GRID, s = (p * hi - p * lo) / qmax,
              z = grid->sym ? r.zero : rintf(-p * lo / s);
        if (!grid->sym && z < least) z = least, s = p * hi / (qmax - z);
        float e = range_error(t, n, s, z, qmax, norm);
        if (!(e < best)) continue;
        best = e;
        r.scale = s;
        if (!grid->sym) r.zero = z;
    }
    return r;
}
