/* Encoders that search LANES sub-blocks at a time, one per vector lane: every lane does what the reference does,
 * operation by operation in float32, so the bytes are the same. Included once per level (encode_avx2.c,
 * encode_avx512.c), which defines LEVEL(name), LANES, the vector types vf (floats), vm (one truth value a lane) and:
 *   zero(), less(a, b), at_most(a, b), differ(a, b) (true for NaN), and_(m, n), pick(m, yes, no), absolute(v),
 *   store_bytes(q, out): LANES low bytes of int32 that fit a byte; bits(m): lane l of a vm as bit l; most(v): the
 *   largest lane, no NaN among them; nibbles(v): truncated to a signed byte, at most 15, its low four bits,
 *   nearest(v, lo, hi): the codecs' qz_nearest, clamped, as floats; round_away(v): half away from zero, 0 beyond 2^22.
 * Private to x86/. */
#ifndef QZ_KERNELS_X86_ENCODE_LANES_H
#define QZ_KERNELS_X86_ENCODE_LANES_H
#include <math.h>
#include <string.h>
#include "base/half.h"
#include "codecs/encode_steps.h"
#include "codecs/types.h"

enum { MAX_SUB = 32 };

/* A batch: value i of every lane; the lanes' weights; codes as floats (small integers, exact). */
typedef struct { vf x[MAX_SUB], w[MAX_SUB], codes[MAX_SUB], trial[MAX_SUB]; vf scale, min; } batch;

/* qz_search_asym in every lane. */
INLINE vf asym_error(const size_t n, const batch *b, const vf *l, vf scale, vf min, const bool abs_error) {
    vf sum = {0};
    for (size_t i = 0; i < n; ++i) {
        vf d = scale * l[i] + min - b->x[i];
        if (abs_error) d = absolute(d);
        else d *= d;
        sum += b->w[i] * d;
    }
    return sum;
}

INLINE void search_asym(const size_t n, const qz_search_grid *g, const bool abs_error, batch *b) {
    vf min = b->x[0], max = b->x[0], sum_w = b->w[0], sum_x = b->w[0] * b->x[0];
    for (size_t i = 1; i < n; ++i) {
        min = pick(less(b->x[i], min), b->x[i], min);
        max = pick(less(max, b->x[i]), b->x[i], max);
        sum_w += b->w[i];
        sum_x += b->w[i] * b->x[i];
    }
    min = pick(less(zero(), min), zero(), min);
    const vm dead = at_most(max, min);
    const vf dead_min = min;
    vf is = (float)g->nmax / (max - min), scale = 1 / is;
    for (size_t i = 0; i < n; ++i) b->codes[i] = nearest(is * (b->x[i] - min), 0, g->nmax);
    vf best = asym_error(n, b, b->codes, scale, min, abs_error);
    for (int s = 0; s <= g->nstep; ++s) {
        vf sum_l = {0}, sum_l2 = {0}, sum_xl = {0};
        is = (g->rmin + g->rdelta * (float)s + (float)g->nmax) / (max - min);
        for (size_t i = 0; i < n; ++i) {
            vf l = nearest(is * (b->x[i] - min), 0, g->nmax), wl = b->w[i] * l;
            b->trial[i] = l;
            sum_l += wl;
            sum_l2 += wl * l;
            sum_xl += wl * b->x[i];
        }
        vf det = sum_w * sum_l2 - sum_l * sum_l;
        vf sc = (sum_w * sum_xl - sum_x * sum_l) / det, mn = (sum_l2 * sum_x - sum_l * sum_xl) / det;
        vm positive = less(zero(), mn);
        mn = pick(positive, zero(), mn);
        sc = pick(positive, sum_xl / sum_l2, sc);
        vf e = asym_error(n, b, b->trial, sc, mn, abs_error);
        vm better = and_(less(zero(), det), less(e, best));
        best = pick(better, e, best);
        scale = pick(better, sc, scale);
        min = pick(better, mn, min);
        for (size_t i = 0; i < n; ++i) b->codes[i] = pick(better, b->trial[i], b->codes[i]);
    }
    b->scale = pick(dead, zero(), scale);
    b->min = -pick(dead, dead_min, min);
    for (size_t i = 0; i < n; ++i) b->codes[i] = pick(dead, zero(), b->codes[i]);
}

/* qz_search_sym in every lane; codes 0..2·nmax-1. */
INLINE void sym_pass(const size_t n, const int nmax, batch *b, vf is, vf *lx, vf *l2) {
    vf a = {0}, c = {0};
    for (size_t i = 0; i < n; ++i) {
        vf l = nearest(is * b->x[i], -nmax, nmax - 1);
        b->trial[i] = l;
        a += b->w[i] * b->x[i] * l;
        c += b->w[i] * l * l;
    }
    *lx = a;
    *l2 = c;
}

INLINE void search_sym(const size_t n, const int nmax, batch *b) {
    vf amax = {0}, max = {0}, lx, l2;
    for (size_t i = 0; i < n; ++i) {
        vm more = less(amax, absolute(b->x[i]));
        amax = pick(more, absolute(b->x[i]), amax);
        max = pick(more, b->x[i], max);
    }
    const vm dead = less(absolute(max), zero() + 1e-15f);
    sym_pass(n, nmax, b, -(float)nmax / max, &lx, &l2);
    vf scale = pick(differ(l2, zero()), lx / l2, zero()), best = scale * lx;
    memcpy(b->codes, b->trial, n * sizeof(vf));
    for (int s = -9; s <= 9; ++s) {
        if (s == 0) continue;
        sym_pass(n, nmax, b, -((float)nmax + 0.1f * (float)s) / max, &lx, &l2);
        vm better = and_(less(zero(), l2), less(best * l2, lx * lx));
        scale = pick(better, lx / l2, scale);
        best = pick(better, scale * lx, best);
        for (size_t i = 0; i < n; ++i) b->codes[i] = pick(better, b->trial[i], b->codes[i]);
    }
    b->min = zero();
    b->scale = pick(dead, zero(), scale);
    for (size_t i = 0; i < n; ++i) b->codes[i] = pick(dead, zero(), b->codes[i] + (float)nmax);
}

/* Lane l of v[] gets the n values at src[l*n] (blocks beyond `have` repeat the last). */
INLINE void load_lanes(const size_t n, const float *src, size_t have, vf *v) {
    for (size_t l = 0; l < LANES; ++l) {
        const float *s = src + (l < have ? l : have - 1) * n;
        for (size_t i = 0; i < n; ++i) v[i][l] = s[i];
    }
}
/* Codes of lane l. */
INLINE void store_codes(const size_t n, const batch *b, size_t l, uint8_t *out) {
    for (size_t i = 0; i < n; ++i) out[i] = (uint8_t)(int)b->codes[i][l];
}
/* importance·sqrt(sigma2 + x²) of n values. */
INLINE void weigh(const float *x, const float *importance, size_t n, float sigma2, float *w) {
    for (size_t i = 0; i < n; ++i) w[i] = importance[i] * sqrtf(sigma2 + x[i] * x[i]);
}
INLINE vf sum_lanes(const size_t n, const vf *v) {
    vf sum = {0};
    for (size_t i = 0; i < n; ++i) sum += v[i];
    return sum;
}

/* ---- K types: sub-blocks of n values. A unit is as many whole blocks of 256 as a batch needs at least. ---- */
typedef void (*finish_fn)(const float *x, bool weighted, qz_k_found *f, uint8_t *out);
typedef enum { KIND_Q2, KIND_Q3, KIND_Q45, KIND_Q6 } kind;
enum { UNIT = LANES * MAX_SUB };

/* Weights with importance of `blocks` blocks, flat. */
INLINE void k_importance(const kind k, const float *x, const float *importance, size_t blocks, float *flat) {
    if (k == KIND_Q6) { /* as they are */
        memcpy(flat, importance, blocks * 256 * sizeof *flat);
        return;
    }
    for (size_t i = 0; i < blocks; ++i, x += 256, importance += 256, flat += 256) {
        float sum = qz_sum_squares(x, 256);
        weigh(x, importance, 256, k == KIND_Q2 ? sum / 256 : 2 * sum / 256, flat);
    }
}
/* Weights of a batch without importance. */
INLINE void k_plain(const kind k, const size_t n, batch *b) {
    vf av = zero();
    for (size_t i = 0; k == KIND_Q45 && i < n; ++i) av += b->x[i] * b->x[i];
    av /= (float)n;
    for (size_t l = 0; l < LANES; ++l) av[l] = sqrtf(av[l]);
    for (size_t i = 0; i < n; ++i) {
        if (k == KIND_Q45) b->w[i] = av + absolute(b->x[i]);
        else if (k == KIND_Q2) b->w[i] = absolute(b->x[i]);
        else b->w[i] = b->x[i] * b->x[i];
    }
}

/* A type: values of a sub-block, largest code, the search without importance, what makes a block, its bytes. */
typedef struct { kind k; size_t n; int nmax; const qz_search_grid *plain; finish_fn finish; size_t bytes; } k_type;
INLINE void k_row(const k_type t, const float *x, const float *importance, size_t cols, uint8_t *out) {
    const kind k = t.k;
    const size_t n = t.n, bytes = t.bytes;
    const int nmax = t.nmax;
    const qz_search_grid *plain = t.plain;
    const finish_fn finish = t.finish;
    const size_t subs = 256 / n, per = LANES > subs ? LANES / subs : 1;
    const qz_search_grid grid = importance || !plain ? qz_grid_weighted(nmax) : *plain;
    qz_k_found f[UNIT / 256];
    float flat[UNIT];
    batch b;
    for (size_t c = 0; c < cols; c += 256 * per) {
        const size_t blocks = cols - c < 256 * per ? (cols - c) / 256 : per;
        if (importance) k_importance(k, x + c, importance + c, blocks, flat);
        for (size_t s0 = 0; s0 < blocks * subs; s0 += LANES) {
            const size_t have = blocks * subs - s0 < LANES ? blocks * subs - s0 : LANES;
            load_lanes(n, x + c + s0 * n, have, b.x);
            if (importance) load_lanes(n, flat + s0 * n, have, b.w);
            else k_plain(k, n, &b);
            if (k == KIND_Q3 || k == KIND_Q6) search_sym(n, nmax, &b);
            else if (grid.absolute) search_asym(n, &grid, true, &b);
            else search_asym(n, &grid, false, &b);
            const vf sw = sum_lanes(n, b.w);
            for (size_t l = 0; l < have; ++l) {
                qz_k_found *g = &f[(s0 + l) / subs];
                const size_t s = (s0 + l) % subs;
                g->scales[s] = b.scale[l];
                g->mins[s] = b.min[l];
                g->sw[s] = sw[l];
                store_codes(n, &b, l, g->codes + s * n);
            }
        }
        for (size_t i = 0; i < blocks; ++i, out += bytes) finish(x + c + 256 * i, importance != NULL, &f[i], out);
    }
}

#define K_ENCODER(name, kind, n, nmax, plain, bytes)                                                                \
    void LEVEL(name)(const float *x, const float *importance, size_t cols, void *out) {                             \
        k_row((k_type){kind, n, nmax, plain, qz_##name##_finish, bytes}, x, importance, cols, out);                 \
    }
K_ENCODER(q2_k, KIND_Q2, 16, 3, &qz_grid_q2_k, 84)
K_ENCODER(q4_k, KIND_Q45, 32, 15, &qz_grid_q4_k, 144)
K_ENCODER(q5_k, KIND_Q45, 32, 31, &qz_grid_q5_k, 176)
K_ENCODER(q6_k, KIND_Q6, 16, 32, NULL, 210)
/* Without importance Q3_K sweeps one value after the other: the reference is as good as anything. */
void LEVEL(q3_k)(const float *x, const float *importance, size_t cols, void *out) {
    if (importance) k_row((k_type){KIND_Q3, 16, 4, NULL, qz_q3_k_finish, 110}, x, importance, cols, out);
    else qz_type_get(QZ_TYPE_Q3_K)->encode(x, NULL, cols, out);
}

/* ---- 32-value types with importance: LANES blocks at a time; without it the reference is fast enough ---- */
INLINE void legacy_row(const qz_type t, const bool asym, const int nmax, const float *x, const float *importance,
                       size_t cols, uint8_t *out) {
    const qz_type_info *info = qz_type_get(t);
    if (!importance) {
        info->encode(x, NULL, cols, out);
        return;
    }
    const float sigma2 = qz_sum_squares(x, cols) / (float)cols;
    const qz_search_grid grid = qz_grid_weighted(nmax);
    float flat[32 * LANES];
    uint8_t codes[32];
    batch b;
    for (size_t c = 0; c < cols; c += 32 * LANES) {
        size_t blocks = cols - c < 32 * LANES ? (cols - c) / 32 : LANES;
        weigh(x + c, importance + c, blocks * 32, sigma2, flat);
        load_lanes(32, x + c, blocks, b.x);
        load_lanes(32, flat, blocks, b.w);
        if (asym) search_asym(32, &grid, false, &b);
        else search_sym(32, nmax, &b);
        for (size_t l = 0; l < blocks; ++l, out += info->bytes) {
            store_codes(32, &b, l, codes);
            if (t == QZ_TYPE_Q4_0) qz_q4_0_put(b.scale[l], codes, out);
            else if (t == QZ_TYPE_Q5_0) qz_q5_0_put(b.scale[l], codes, out);
            else if (t == QZ_TYPE_Q4_1) qz_q4_1_put(b.scale[l], -b.min[l], codes, out);
            else qz_q5_1_put(b.scale[l], -b.min[l], codes, out);
        }
    }
}
/* The first of the values with the largest magnitude among 32, as qz_signed_max. */
INLINE float signed_max(const float *x) {
    vf v[32 / LANES], m = zero();
    memcpy(v, x, sizeof v);
    for (size_t i = 0; i < 32 / LANES; ++i) m = pick(less(m, absolute(v[i])), absolute(v[i]), m);
    const float amax = most(m);
    for (size_t i = 0; i < 32 / LANES && amax > 0; ++i) {
        const uint32_t there = bits(at_most(zero() + amax, absolute(v[i])));
        if (there) return x[i * LANES + (size_t)__builtin_ctz(there)];
    }
    return 0;
}
void LEVEL(q4_0)(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t codes[32], *o = out;
    for (size_t k = 0; !importance && k < cols; k += 32, x += 32, o += 18) {
        const float d = signed_max(x) / -8, id = d != 0 ? 1 / d : 0;
        for (size_t i = 0; i < 32; i += LANES) {
            vf v;
            memcpy(&v, x + i, sizeof v);
            store_bytes(nibbles(v * id + 8.5f), codes + i);
        }
        qz_q4_0_put(d, codes, o);
    }
    if (importance) legacy_row(QZ_TYPE_Q4_0, false, 8, x, importance, cols, out);
}
void LEVEL(q5_0)(const float *x, const float *importance, size_t cols, void *out) {
    legacy_row(QZ_TYPE_Q5_0, false, 16, x, importance, cols, out);
}
void LEVEL(q4_1)(const float *x, const float *importance, size_t cols, void *out) {
    legacy_row(QZ_TYPE_Q4_1, true, 15, x, importance, cols, out);
}
void LEVEL(q5_1)(const float *x, const float *importance, size_t cols, void *out) {
    legacy_row(QZ_TYPE_Q5_1, true, 31, x, importance, cols, out);
}

/* ---- IQ4_NL, IQ4_XS ---- */
INLINE void iq4_fit(const batch *b, vf id, vf *sumqx, vf *sumq2) {
    vf qx = {0}, q2 = {0};
    for (size_t k = 0; k < 32; ++k) {
        const vf v = id * b->x[k];
        vf q = zero() + (float)qz_iq4_values[0];
        for (size_t i = 0; i < 15; ++i) {
            const float gap = (float)(qz_iq4_values[i + 1] - qz_iq4_values[i]);
            q += pick(at_most(zero() + qz_iq4_middles[i], v), zero() + gap, zero());
        }
        const vf wq = b->w[k] * q;
        qx += wq * b->x[k];
        q2 += wq * q;
    }
    *sumqx = qx;
    *sumq2 = q2;
}
/* qz_iq4_search in every lane. */
INLINE vf iq4_search(const batch *b) {
    const float least = (float)qz_iq4_values[0];
    vf amax = {0}, max = {0}, qx, q2;
    for (size_t k = 0; k < 32; ++k) {
        const vm more = less(amax, absolute(b->x[k]));
        amax = pick(more, absolute(b->x[k]), amax);
        max = pick(more, b->x[k], max);
    }
    vf d = -max / least;
    iq4_fit(b, 1 / d, &qx, &q2);
    d = pick(less(zero(), q2), qx / q2, zero());
    vf best = d * qx;
    for (int t = -7; t <= 7; ++t) {
        iq4_fit(b, ((float)t + least) / max, &qx, &q2);
        const vm better = and_(less(zero(), q2), less(best * q2, qx * qx));
        d = pick(better, qx / q2, d);
        best = pick(better, d * qx, best);
    }
    return pick(less(absolute(max), zero() + 1e-15f), zero(), d);
}
typedef void (*iq4_finish_fn)(const float *x, const float *scales, uint8_t *out);
INLINE void iq4_row(const size_t elems, size_t bytes, iq4_finish_fn finish, const float *x, const float *importance,
                    size_t cols, uint8_t *out) {
    float flat[32 * LANES], scales[LANES];
    batch b;
    for (size_t c = 0; c < cols; c += 32 * LANES) {
        const size_t have = cols - c < 32 * LANES ? (cols - c) / 32 : LANES, per = elems / 32;
        for (size_t k = 0; importance && k < have * 32; k += elems)
            weigh(x + c + k, importance + c + k, elems, qz_sum_squares(x + c + k, elems) * (2.0f / (float)elems),
                  flat + k);
        load_lanes(32, x + c, have, b.x);
        if (importance) load_lanes(32, flat, have, b.w);
        for (size_t i = 0; !importance && i < 32; ++i) b.w[i] = b.x[i] * b.x[i];
        const vf d = iq4_search(&b);
        memcpy(scales, &d, sizeof scales);
        for (size_t g = 0; g < have; g += per, out += bytes) finish(x + c + 32 * g, scales + g, out);
    }
}
void LEVEL(iq4_nl)(const float *x, const float *importance, size_t cols, void *out) {
    iq4_row(32, 18, qz_iq4_nl_finish, x, importance, cols, out);
}
void LEVEL(iq4_xs)(const float *x, const float *importance, size_t cols, void *out) {
    iq4_row(256, 136, qz_iq4_xs_finish, x, importance, cols, out);
}

/* ---- Q8_0 ---- */
void LEVEL(q8_0)(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    for (size_t k = 0; k < cols; k += 32, x += 32, o += 34) {
        vf m = zero(), v;
        for (size_t i = 0; i < 32; i += LANES) {
            memcpy(&v, x + i, sizeof v);
            m = pick(less(m, absolute(v)), absolute(v), m);
        }
        float d = most(m) / 127, id = d != 0 ? 1 / d : 0;
        qz_store_u16le(o, qz_f32_to_f16(d));
        for (size_t i = 0; i < 32; i += LANES) {
            memcpy(&v, x + i, sizeof v);
            store_bytes(round_away(v * id), o + 2 + i);
        }
    }
}
#endif
