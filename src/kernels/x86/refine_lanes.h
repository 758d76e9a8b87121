/* refine_sym, LANES blocks at a time, one per vector lane: every lane does what the reference does, operation by
 * operation, so the bits are the same. Included by encode_avx2.c and encode_avx512.c behind encode_lanes.h; they define
 * KERNEL(name), the vector types and steps that encode_lanes.h names, and
 *   clamp(v, lo, hi): NaN stays; as_half(v): rounded to float16 and back, 0 where that is not finite;
 *   vd: half as many doubles; wide(v, half): that half of a vf; narrow(lo, hi): both as a vf;
 *   divide(x, y, other): x / y where y > 0, else other.
 * Private to x86/. */
#ifndef QZ_KERNELS_X86_REFINE_LANES_H
#define QZ_KERNELS_X86_REFINE_LANES_H

enum { SYM = QZ_SYM_VALUES };
typedef struct { vf x[SYM], w[SYM], codes[SYM], trial[SYM], start[SYM]; float lo, hi; } sym_batch;

INLINE vf sym_weighed(const bool weighted, const sym_batch *b, size_t k, vf e) {
    vf we = e;
    if (weighted) we *= b->w[k];
    return we * e;
}

/* Error of codes that stay, one sum a lane. */
INLINE vf sym_error(const bool weighted, const sym_batch *b, vf d, const vf *codes) {
    vf sum = zero();
    for (size_t k = 0; k < SYM; ++k) sum += sym_weighed(weighted, b, k, b->x[k] - d * codes[k]);
    return sum;
}

/* round_sub: codes to trial. */
INLINE vf sym_round(const bool weighted, sym_batch *b, vf d) {
    const vf inv = pick(differ(d, zero()), 1 / d, zero()), lo = zero() + b->lo, hi = zero() + b->hi;
    vf acc[8] = {0};
    for (size_t k = 0; k < SYM; ++k) {
        const vf c = clamp(b->x[k] * inv, lo, hi) + 12582912.0f - 12582912.0f;
        acc[k % 8] += sym_weighed(weighted, b, k, b->x[k] - d * c);
        b->trial[k] = c;
    }
    return ((acc[0] + acc[4]) + (acc[2] + acc[6])) + ((acc[1] + acc[5]) + (acc[3] + acc[7]));
}

INLINE vd sym_ratio(const bool weighted, const sym_batch *b, vf d, const int half) {
    vd aa = {0}, ax = {0};
    for (size_t k = 0; k < SYM; ++k) {
        const vd u = wide(b->trial[k], half);
        vd wu = u;
        if (weighted) wu *= wide(b->w[k], half);
        aa += wu * u;
        ax += wu * wide(b->x[k], half);
    }
    return divide(ax, aa, wide(d, half));
}

/* Lanes that changed; best step to *out, its codes to b->codes. */
INLINE uint32_t sym_search(const bool weighted, const bool turned, sym_batch *b, vf first, vf *out) {
    const vf start = sym_error(weighted, b, first, b->start), endless = zero() + INFINITY;
    const vm alive = and_(and_(less(absolute(first), endless), differ(first, zero())),
                          and_(less(zero(), start), less(start, endless)));
    vf least = start, best = first;
    memcpy(b->codes, b->start, sizeof b->codes);
    for (int sign = 0; sign < (turned ? 2 : 1); ++sign) {
        vf d = sign ? -first : first;
        for (int round = 0; round < 2; ++round) {
            const vf e = sym_round(weighted, b, d);
            const vm better = less(e, least);
            least = pick(better, e, least);
            best = pick(better, d, best);
            for (size_t k = 0; k < SYM; ++k) b->codes[k] = pick(better, b->trial[k], b->codes[k]);
            if (round == 0) d = as_half(narrow(sym_ratio(weighted, b, d, 0), sym_ratio(weighted, b, d, 1)));
        }
    }
    *out = best;
    return bits(and_(alive, less(sym_error(weighted, b, best, b->codes), start)));
}

uint32_t KERNEL(refine_sym)(const qz_block_shape *s, const float *x, const float *w, size_t n, qz_block_fields *f) {
    uint32_t changed = 0;
    sym_batch b;
    b.lo = (float)s->q_min;
    b.hi = (float)s->q_max;
    for (size_t at = 0; at < n; at += LANES) {
        const size_t have = n - at < LANES ? n - at : LANES;
        vf d, best;
        load_lanes(SYM, x + at * SYM, have, b.x);
        if (w) load_lanes(SYM, w + at * SYM, have, b.w);
        for (size_t l = 0; l < LANES; ++l) {
            const qz_block_fields *g = &f[at + (l < have ? l : have - 1)];
            d[l] = g->d;
            for (size_t k = 0; k < SYM; ++k) b.start[k][l] = (float)g->q[k];
        }
        const bool turned = -s->q_min != s->q_max;
        uint32_t now = w ? sym_search(true, turned, &b, d, &best) : sym_search(false, turned, &b, d, &best);
        if (have < LANES) now &= (1u << have) - 1;
        for (size_t l = 0; l < have; ++l) {
            if ((now >> l & 1) == 0) continue;
            f[at + l].d = best[l];
            for (size_t k = 0; k < SYM; ++k) f[at + l].q[k] = (int16_t)b.codes[k][l];
        }
        changed |= now << at;
    }
    return changed;
}
#endif
