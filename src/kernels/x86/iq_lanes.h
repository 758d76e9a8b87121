/* Encoders of IQ2 and IQ3 (codecs/iq_form.h), LANES groups at a time, one per vector lane: every lane does what the
 * reference does, operation by operation, so the bytes are the same. A combination of levels off the grid leaves its
 * lane: its list of near points is searched eight points at a time. Included by encode_avx2.c and encode_avx512.c
 * behind encode_lanes.h; they define the vector types and steps that encode_lanes.h names, and
 *   vi: int32, numbers or truth (all bits of a lane); nearest_int(v, lo, hi): nearest as such; lookup(table, at):
 *   table[at]; negative(v): lane l is below 0, as bit l; root(v): square roots.
 * Private to x86/. */
#ifndef QZ_KERNELS_X86_IQ_LANES_H
#define QZ_KERNELS_X86_IQ_LANES_H
#include <float.h>
#include "codecs/iq_form.h"

enum { IQ_N = QZ_IQ_MAX, IQ_POINTS = QZ_IQ_MAX / 4, IQ_LISTS = QZ_IQ_NEAR / 8 };

/* Magnitudes, weights, their product, roots of the weights; levels of points as words (iq_grid.h) of this try and of
 * the best, and of each the lanes whose point is off the grid; where lookup found the levels; signs. */
typedef struct {
    vf x[IQ_N], w[IQ_N], wx[IQ_N], root[IQ_N];
    vi trial[IQ_POINTS], place[IQ_POINTS], words[IQ_POINTS];
    uint32_t off[IQ_POINTS], words_off[IQ_POINTS];
    vi signs[IQ_N / 8];
} iq_batch;
/* Values of a point with the levels that they have: (8, 3) or (4, 8); values of a group. */
typedef struct { size_t size, n; } iq_shape;
INLINE int iq_bits(const iq_shape s) { return s.size == 8 ? 2 : 3; }
INLINE int iq_base(const iq_shape s) { return s.size == 8 ? 3 : 8; }

INLINE vf lanes_pick(vi m, vf yes, vf no) { return (vf)((m & (vi)yes) | (~m & (vi)no)); }
/* n in every lane. */
INLINE vi all(int32_t n) {
    vi v;
    for (size_t l = 0; l < LANES; ++l) v[l] = n;
    return v;
}
INLINE vf as_float(vi v) { return __builtin_convertvector(v, vf); }

/* ---- one point off the grid ---- */

/* Costs of the levels of one value, as often as the vector holds them: picked by the low bits of a word. */
INLINE __m256 iq_pick(const iq_shape s, __m256 costs, __m256i word) {
    return s.size == 8 ? _mm256_permutevar_ps(costs, word) : _mm256_permutevar8x32_ps(costs, word);
}
/* Costs of eight points; what is no number costs most. */
INLINE __m256 iq_sums(const iq_shape s, const __m256 *costs, const uint16_t *list) {
    const __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)list));
    __m256 sum = iq_pick(s, costs[0], words);
    for (size_t i = 1; i < s.size; ++i) sum += iq_pick(s, costs[i], _mm256_srli_epi32(words, iq_bits(s) * (int)i));
    return _mm256_min_ps(sum, _mm256_set1_ps(FLT_MAX));
}
/* In every lane the least. */
INLINE __m256 iq_least(__m256 v) {
    v = _mm256_min_ps(v, _mm256_permute2f128_ps(v, v, 1));
    v = _mm256_min_ps(v, _mm256_permute_ps(v, 0x4e));
    return _mm256_min_ps(v, _mm256_permute_ps(v, 0xb1));
}
INLINE uint32_t iq_equal(__m256 a, __m256 b) { return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)); }
/* Levels of the near point of least Σ (root weight)·(scale·(2l+1) − magnitude)², the first of equals; x and root: a
 * lane's. A list of eight is the rule for IQ3. */
INLINE uint16_t iq_near(const iq_shape s, const qz_iq_grid *g, int32_t place, const float *x, const float *root,
                        float scale) {
    const uint16_t *list = g->near_levels + ~place + 1;
    const size_t n = g->near[~place];
    const __m256 odd = s.size == 8 ? _mm256_setr_ps(1, 3, 5, 7, 1, 3, 5, 7) : _mm256_setr_ps(1, 3, 5, 7, 9, 11, 13, 15);
    const __m256 step = _mm256_set1_ps(scale) * odd;
    __m256 costs[8], sums[IQ_LISTS];
    for (size_t i = 0; i < s.size; ++i) {
        const __m256 d = step - _mm256_broadcast_ss(x + i * LANES);
        costs[i] = _mm256_broadcast_ss(root + i * LANES) * d * d;
    }
    const __m256 first = iq_sums(s, costs, list);
    if (n <= 8) return list[__builtin_ctz(iq_equal(first, iq_least(first)))];
    const __m256 second = iq_sums(s, costs, list + 8);
    __m256 least = _mm256_min_ps(first, second);
    for (size_t c = 16; c < n; c += 8) {
        sums[c / 8] = iq_sums(s, costs, list + c);
        least = _mm256_min_ps(least, sums[c / 8]);
    }
    least = iq_least(least);
    const uint32_t there = iq_equal(first, least) | iq_equal(second, least) << 8;
    if (there) return list[__builtin_ctz(there)];
    size_t c = 16;
    while (iq_equal(sums[c / 8], least) == 0) c += 8;
    return list[c + (size_t)__builtin_ctz(iq_equal(sums[c / 8], least))];
}

/* ---- the search ---- */

/* Levels of every point for a scale, to trial and off; lanes: which may go to the near points. */
INLINE void iq_round(const iq_shape s, const qz_iq_grid *g, iq_batch *b, vf id, vf scale, const uint32_t *lanes) {
    for (size_t p = 0; p < s.n / s.size; ++p) {
        vi word = {0}, key = {0};
        for (size_t i = s.size; i-- > 0;) {
            const vi l = nearest_int(0.5f * (id * b->x[p * s.size + i] - 1), 0, iq_base(s) - 1);
            word = (word << iq_bits(s)) + l;
            if (s.size == 8) key = key + key + key + l;
        }
        b->trial[p] = word;
        b->place[p] = lookup(g->place, s.size == 8 ? key : word);
        b->off[p] = negative(b->place[p]) & lanes[p];
    }
    const float *x = (const float *)b->x, *root = (const float *)b->root, *at = (const float *)&scale;
    for (size_t p = 0; p < s.n / s.size; ++p) {
        int32_t *trial = (int32_t *)&b->trial[p];
        const int32_t *place = (const int32_t *)&b->place[p];
        const size_t first = p * s.size * LANES;
        for (uint32_t m = b->off[p]; m; m &= m - 1) {
            const size_t l = (size_t)__builtin_ctz(m);
            trial[l] = iq_near(s, g, place[l], x + first + l, root + first + l, at[l]);
        }
    }
}

INLINE void iq_fit(const iq_shape s, const iq_batch *b, const vi *words, vf *sumqx, vf *sumq2) {
    vf qx = {0}, q2 = {0};
    for (size_t p = 0; p < s.n / s.size; ++p)
        for (size_t i = 0; i < s.size; ++i) {
            const vi l = words[p] >> iq_bits(s) * (int)i & all((1 << iq_bits(s)) - 1);
            const vf q = as_float(l + l + 1);
            const size_t k = p * s.size + i;
            qx += b->wx[k] * q;
            q2 += b->w[k] * q * q;
        }
    *sumqx = qx;
    *sumq2 = q2;
}

/* Scales, levels to words. live: lanes that hold a group. */
INLINE vf iq_search(const iq_shape s, const qz_iq_form *t, iq_batch *b, uint32_t live, vf start, vf reach) {
    const float most = (float)(2 * iq_base(s) - 1);
    const size_t points = s.n / s.size;
    vf scale = start, best = {0}, qx, q2;
    uint32_t lanes[IQ_POINTS], any = 0;
    for (size_t p = 0; p < points; ++p) {
        lanes[p] = live;
        b->words[p] = (vi){0};
        b->words_off[p] = t->redo == QZ_IQ_REDO_OFF_GRID ? 0 : live;
    }
    for (int r = -t->tries; r <= t->tries; ++r) {
        const vf id = (most + (float)r * t->step) / reach;
        iq_round(s, t->grid, b, id, 1 / id, lanes);
        iq_fit(s, b, b->trial, &qx, &q2);
        const vi better = (vi)(q2 > 0) & (vi)(qx * qx > best * q2);
        const uint32_t taken = negative(better);
        if (taken == 0) continue;
        scale = lanes_pick(better, qx / q2, scale);
        best = lanes_pick(better, scale * qx, best);
        for (size_t p = 0; p < points; ++p) {
            b->words[p] = (better & b->trial[p]) | (~better & b->words[p]);
            b->words_off[p] = (b->words_off[p] & ~taken) | (b->off[p] & taken);
        }
    }
    for (size_t p = 0; p < points; ++p) any |= b->words_off[p];
    const uint32_t redo = live & bits(less(zero(), scale)) & (t->redo == QZ_IQ_REDO_ALL ? live : any);
    if (redo == 0) return scale;
    for (size_t p = 0; p < points; ++p) lanes[p] = redo & (t->redo == QZ_IQ_REDO_OFF_GRID ? b->words_off[p] : redo);
    iq_round(s, t->grid, b, 1 / scale, scale, lanes);
    for (size_t p = 0; p < points; ++p) {
        int32_t *words = (int32_t *)&b->words[p];
        const int32_t *trial = (const int32_t *)&b->trial[p];
        for (uint32_t m = lanes[p]; m; m &= m - 1) words[__builtin_ctz(m)] = trial[__builtin_ctz(m)];
    }
    iq_fit(s, b, b->words, &qx, &q2);
    const vf fitted = lanes_pick((vi)(q2 > 0), qx / q2, scale);
    for (uint32_t m = redo; m; m &= m - 1) scale[__builtin_ctz(m)] = fitted[__builtin_ctz(m)];
    return scale;
}

/* qz_search_pos over magnitudes (of which the reference keeps the low byte of a code) in every lane. */
INLINE vf iq_free_scale(const iq_shape s, const iq_batch *b) {
    const int nmax = iq_base(s) + 1;
    vf max = {0}, best = {0}, lx = {0}, l2 = {0}, codes[IQ_N];
    for (size_t i = 0; i < s.n; ++i) max = lanes_pick((vi)(b->x[i] > max), b->x[i], max);
    vf is = (float)nmax / max, sc = 1 / is;
    for (size_t i = 0; i < s.n; ++i) {
        const vf d = b->x[i] - sc * as_float(nearest_int(is * b->x[i], INT32_MIN, INT32_MAX) & 255);
        best += b->w[i] * d * d;
    }
    for (int r = -4; r <= 4; ++r) {
        if (r == 0) continue;
        const vf trial = (0.1f * (float)r + (float)nmax) / max;
        vf e = {0};
        sc = 1 / trial;
        for (size_t i = 0; i < s.n; ++i) {
            const vf d = b->x[i] - sc * nearest(trial * b->x[i], INT32_MIN, nmax);
            e += b->w[i] * d * d;
        }
        const vi better = (vi)(e < best);
        best = lanes_pick(better, e, best);
        is = lanes_pick(better, trial, is);
    }
    for (size_t i = 0; i < s.n; ++i) {
        const vi l = nearest_int(is * b->x[i], INT32_MIN, nmax);
        lx += b->wx[i] * as_float(l);
        l2 += b->w[i] * as_float(l) * as_float(l);
        codes[i] = as_float(l & 255);
    }
    vi moving = ~(vi){0};
    for (int sweep = 0; sweep < 5; ++sweep) {
        vi changed = {0};
        for (size_t i = 0; i < s.n; ++i) {
            vf slx = lx - b->wx[i] * codes[i], sl2 = l2 - b->w[i] * codes[i] * codes[i];
            const vi l = nearest_int(b->x[i] * sl2 / slx, INT32_MIN, nmax);
            const vf c = as_float(l);
            vi move = moving & (vi)(slx > 0) & (vi)(sl2 > 0) & (vi)(c != codes[i]);
            slx += b->wx[i] * c;
            sl2 += b->w[i] * c * c;
            move &= (vi)(slx * slx * l2 > lx * lx * sl2);
            codes[i] = lanes_pick(move, as_float(l & 255), codes[i]);
            lx = lanes_pick(move, slx, lx);
            l2 = lanes_pick(move, sl2, l2);
            changed |= move;
        }
        moving = changed;
        if (negative(moving) == 0) break;
    }
    return lanes_pick((vi)(max < 1e-15f), zero(), lanes_pick((vi)(l2 > 0), lx / l2, zero()));
}

/* ---- groups and rows ---- */

/* Values in x become magnitudes, their signs go to signs. */
INLINE void iq_split(const iq_shape s, bool even, iq_batch *b) {
    for (size_t k = 0; k < s.n; k += 8) {
        vi signs = {0}, at = {0}, top = {0};
        vf least = {0};
        for (size_t i = 0; i < 8; ++i) {
            const vf x = b->x[k + i], cost = b->w[k + i] * x * x;
            const vi minus = ~(vi)(x >= 0), less_here = i == 0 ? ~(vi){0} : (vi)(cost < least);
            least = lanes_pick(less_here, cost, least);
            at = (less_here & (int32_t)i) | (~less_here & at);
            b->x[k + i] = (vf)((vi)x ^ (minus & INT32_MIN));
            signs |= minus & all((int32_t)1 << i);
        }
        if (even) {
            top = signs ^ signs >> 4;
            top ^= top >> 2;
            top ^= top >> 1;
            const vi odd = -(top & 1);
            for (size_t i = 0; i < 8; ++i) {
                const vi turn = odd & (vi)(at == (int32_t)i);
                b->x[k + i] = (vf)((vi)b->x[k + i] ^ (turn & INT32_MIN));
                signs ^= turn & all((int32_t)1 << i);
            }
        }
        b->signs[k / 8] = signs;
    }
}

/* LANES groups, of which `have` count, at b->x and b->w. */
INLINE void iq_groups(const iq_shape s, const qz_iq_form *t, iq_batch *b, size_t have, qz_iq_found *found) {
    vf largest = {0};
    for (size_t i = 0; i < s.n; ++i)
        largest = lanes_pick((vi)(absolute(b->x[i]) > largest), absolute(b->x[i]), largest);
    iq_split(s, t->even, b);
    vf max = b->x[0];
    for (size_t i = 0; i < s.n; ++i) {
        max = lanes_pick((vi)(max > b->x[i]), max, b->x[i]);
        b->wx[i] = b->w[i] * b->x[i];
        b->root[i] = root(b->w[i]);
    }
    const vi dead = t->least > 0 ? (vi)(max < t->least) : (vi)(largest == 0);
    uint32_t live = ~negative(dead) & (uint32_t)((UINT64_C(1) << have) - 1);
    vf start = {0}, reach = max;
    if (t->start > 0) start = max / t->start;
    else {
        start = iq_free_scale(s, b);
        reach = start * (float)iq_base(s);
        live &= bits(less(zero(), reach));
    }
    for (size_t l = 0; l < have; ++l) found[l] = (qz_iq_found){.none = (live >> l & 1) == 0};
    if (live == 0) return;
    const vf scale = iq_search(s, t, b, live, start, reach);
    for (size_t l = 0; l < have; ++l) {
        found[l].scale = scale[l];
        for (size_t k = 0; k < s.n / 8; ++k) found[l].g.signs[k] = (uint8_t)b->signs[k][l];
    }
    for (size_t p = 0; p < s.n / s.size; ++p) {
        vi key = s.size == 8 ? (vi){0} : b->words[p];
        for (size_t i = s.size; s.size == 8 && i-- > 0;) key = key + key + key + (b->words[p] >> 2 * (int)i & 3);
        const vi place = lookup(t->grid->place, key);
        for (size_t l = 0; l < have; ++l) found[l].g.points[p] = (uint16_t)(place[l] < 0 ? 0 : place[l]);
    }
}

INLINE void iq_row(const iq_shape s, const qz_iq_form *t, bool moved, const float *x, const float *importance,
                   size_t cols, uint8_t *out) {
    const size_t subs = 256 / s.n, per = LANES > subs ? LANES / subs : 1;
    float flat[UNIT];
    qz_iq_found found[UNIT / 16];
    iq_batch b;
    for (size_t c = 0; c < cols; c += 256 * per) {
        const size_t blocks = cols - c < 256 * per ? (cols - c) / 256 : per;
        for (size_t k = 0; k < blocks * 256; k += 256) {
            const float *v = x + c + k, sigma2 = t->spread * qz_sum_squares(v, 256) / 256;
            if (importance) weigh(v, importance + c + k, 256, sigma2, flat + k);
            for (size_t i = 0; !importance && i < 256; ++i)
                flat[k + i] = t->floored ? 0.25f * sigma2 + v[i] * v[i] : v[i] * v[i];
        }
        for (size_t g = 0; g < blocks * subs; g += LANES) {
            const size_t have = blocks * subs - g < LANES ? blocks * subs - g : LANES;
            load_lanes(s.n, x + c + g * s.n, have, b.x);
            load_lanes(s.n, flat + g * s.n, have, b.w);
            iq_groups(s, t, &b, have, found + g);
        }
        for (size_t i = 0; i < blocks; ++i, out += t->bytes) qz_iq_finish(t, moved, found + i * subs, out);
    }
}
static void iq_row_2(const qz_iq_form *t, const float *x, const float *importance, size_t cols, uint8_t *out) {
    iq_row((iq_shape){8, 16}, t, false, x, importance, cols, out);
}
static void iq_row_3(const qz_iq_form *t, bool moved, const float *x, const float *importance, size_t cols,
                     uint8_t *out) {
    iq_row((iq_shape){4, 32}, t, moved, x, importance, cols, out);
}
void LEVEL(iq2_xxs)(const float *x, const float *importance, size_t cols, void *out) {
    iq_row((iq_shape){8, 32}, &qz_iq2_xxs_form, false, x, importance, cols, out);
}
void LEVEL(iq2_xs)(const float *x, const float *importance, size_t cols, void *out) {
    iq_row_2(&qz_iq2_xs_form, x, importance, cols, out);
}
void LEVEL(iq2_s)(const float *x, const float *importance, size_t cols, void *out) {
    iq_row_2(&qz_iq2_s_form, x, importance, cols, out);
}
void LEVEL(iq3_xxs)(const float *x, const float *importance, size_t cols, void *out) {
    iq_row_3(&qz_iq3_xxs_form, false, x, importance, cols, out);
}
void LEVEL(iq3_s)(const float *x, const float *importance, size_t cols, void *out) {
    iq_row_3(&qz_iq3_s_form, false, x, importance, cols, out);
}
void LEVEL(iq3_s_moved)(const float *x, const float *importance, size_t cols, void *out) {
    iq_row_3(&qz_iq3_s_form, true, x, importance, cols, out);
}
#endif
