/* best mode of the block formats: from the reference's block, alternate (a) integer scales and mins of each sub-block
 * with codes rounded anew, over a neighbourhood, and (b) the float16 steps d and dmin by least squares. One scale
 * whose range has an extra code also starts from the other sign of d; without a code book that is a kernel
 * (refine_sym). Codes of a table or a code book are its nearest values or
 * points. Only what lowers Σ importance·(x−x̂)² of the block is kept. */
#include "base/half.h"
#include "base/size.h"
#include "codecs/fields.h"
#include "codecs/types.h"
#include "methods/block_search.h"
#include "methods/book_points.h"
#include <math.h>
#include <string.h>

enum { ROUNDS = 6, RADIUS = 2 };

typedef struct {
    const qz_block_shape *s;
    qz_rounder_fn round;
    const float *x, *w; /* of the block */
    const qz_block_fields *f; /* the reference's block */
} target;

/* Rounds the codes of one sub-block for a scale and min; returns its weighted error. q may be NULL. */
static float sub_error(const target *t, size_t b, float scale, float min, int16_t *q) {
    const size_t at = b * t->s->sub_len;
    return t->round(t->s, t->x + at, t->w + at, scale, min, q ? q + at : NULL);
}

/* qz_book_nearest of n values, without branches: one threshold after the other over all of them. */
static void nearest_values(const qz_block_book *b, int q_max, const float *x, float inv, size_t n, float *v) {
    for (size_t k = 0; k < n; k++) v[k] = (float)b->values[0];
    for (size_t i = 0; i + 1 < b->n_values && b->values[i + 1] <= q_max; i++) {
        const float middle = (float)(b->values[i] + b->values[i + 1]), gap = (float)(b->values[i + 1] - b->values[i]);
        for (size_t k = 0; k < n; k++) v[k] += 2 * (x[k] * inv) >= middle ? gap : 0;
    }
}

/* The same for a table or a code book. */
static float book_error(const target *t, size_t b, float scale, int16_t *q) {
    const qz_block_book *book = t->s->book;
    const size_t n = book->point, lo = b * t->s->sub_len, hi = lo + t->s->sub_len;
    const float inv = scale != 0 ? 1.0f / scale : 0;
    float sum = 0;
    if (n == 1) {
        float v[QZ_FIELDS_MAX];
        nearest_values(book, t->s->q_max, t->x + lo, inv, hi - lo, v);
        for (size_t k = lo; k < hi; k++) {
            const float e = t->x[k] - scale * v[k - lo];
            sum += t->w[k] * e * e;
            if (q) q[k] = (int16_t)v[k - lo];
        }
        return sum;
    }
    float least = INFINITY;
    for (unsigned shift = 0; shift < (book->signs == QZ_SIGNS_SHIFT && book->shared > n ? 2 : 1); shift++) {
        int16_t trial[QZ_FIELDS_MAX];
        float all = 0;
        for (size_t k = lo; k < hi; k += n) {
            memcpy(trial + k, t->f->q + k, n * sizeof *trial);
            all += qz_point_round(&(qz_point_job){book, shift, 0}, t->w + k, t->x + k, scale, trial + k);
        }
        if (!(all < least)) continue;
        least = all;
        if (q) memcpy(q + lo, trial + lo, t->s->sub_len * sizeof *q);
    }
    return least;
}

static float error_at(const target *t, size_t b, const qz_block_fields *f, int sc, int m, int16_t *q) {
    const float scale = f->d * t->s->unit * qz_block_scale(t->s, sc);
    return t->s->book ? book_error(t, b, scale, q) : sub_error(t, b, scale, f->dmin * (float)m, q);
}

static float block_error(const target *t, qz_block_fields *f, bool round_codes) {
    float sum = 0;
    for (size_t b = 0; b < t->s->subs; b++) {
        float scale = qz_block_step(t->s, f, b), min = f->dmin * (float)f->m[b];
        if (round_codes) {
            sum += error_at(t, b, f, f->sc[b], f->m[b], f->q);
            continue;
        }
        for (size_t k = b * t->s->sub_len; k < (b + 1) * t->s->sub_len; k++) {
            float e = t->x[k] - (scale * (float)f->q[k] - min);
            sum += t->w[k] * e * e;
        }
    }
    return sum;
}

/* (a) neighbourhood of each sub-block's integers. Returns true if something improved. */
static bool improve_subs(const target *t, qz_block_fields *f) {
    bool any = false;
    if (t->s->sc_min == t->s->sc_max) return false;
    const int rm = t->s->m_max ? RADIUS : 0, step = t->s->book && t->s->book->sc == QZ_SC_ODD ? 2 : 1;
    const int reach = t->s->book && t->s->book->sc == QZ_SC_E4M3 ? 2 * RADIUS : RADIUS * step;
    for (size_t b = 0; b < t->s->subs; b++) {
        int sc0 = f->sc[b], m0 = f->m[b], best_sc = sc0, best_m = m0;
        float best = error_at(t, b, f, sc0, m0, NULL), start = best;
        for (int sc = sc0 - reach; sc <= sc0 + reach; sc += step)
            for (int m = m0 - rm; m <= m0 + rm; m++) {
                if (sc < t->s->sc_min || sc > t->s->sc_max || m < 0 || m > t->s->m_max) continue;
                float e = error_at(t, b, f, sc, m, NULL);
                if (e < best) best = e, best_sc = sc, best_m = m;
            }
        if (best < start) any = true;
        f->sc[b] = (int16_t)best_sc;
        f->m[b] = (int16_t)best_m;
        (void)error_at(t, b, f, best_sc, best_m, f->q);
    }
    return any;
}

static float to_half(double v) {
    float h = qz_f16_to_f32(qz_f32_to_f16((float)v));
    return isfinite(h) ? h : 0;
}

/* (b) d and dmin by least squares with all integers fixed. */
static void refit_steps(const target *t, qz_block_fields *f) {
    double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
    if (t->s->book && t->s->book->d != QZ_D_HALF) return; /* a power of two, or 1: the starts vary it */
    for (size_t b = 0; b < t->s->subs; b++)
        for (size_t k = b * t->s->sub_len; k < (b + 1) * t->s->sub_len; k++) {
            double u = (double)(t->s->unit * qz_block_scale(t->s, f->sc[b])) * f->q[k], v = -(double)f->m[b];
            double w = (double)t->w[k], x = (double)t->x[k];
            aa += w * u * u;
            ab += w * u * v;
            bb += w * v * v;
            ax += w * u * x;
            bx += w * v * x;
        }
    double det = aa * bb - ab * ab;
    if (bb > 0 && det > 1e-12 * aa * bb) {
        f->d = to_half((ax * bb - bx * ab) / det);
        f->dmin = to_half((bx * aa - ax * ab) / det);
    } else if (aa > 0) f->d = to_half((ax - ab * (double)f->dmin) / aa);
}

/* Alternates (a) and (b) from f; f ends at the best state met. Returns its error. */
static float descend(const target *t, qz_block_fields *f) {
    qz_block_fields now = *f;
    float best = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        (void)improve_subs(t, &now);
        float e = block_error(t, &now, true);
        if (e < best) best = e, *f = now;
        else if (round > 0) break;
        refit_steps(t, &now);
        e = block_error(t, &now, true);
        if (e < best) best = e, *f = now;
    }
    return best;
}

static void refine_block(qz_type type, const target *of, uint8_t *block) {
    qz_block_fields start, best;
    qz_block_unpack(type, block, &start);
    const target with = {of->s, of->round, of->x, of->w, &start}, *t = &with;
    if (!(isfinite(start.d) && isfinite(start.dmin)) || start.d == 0) return;
    best = start;
    float least = block_error(t, &start, false);
    if (!(least > 0) || !isfinite(least)) return;
    /* More starts (steps scaled by 0.90 … 1.10) lower the weight error by another 0.7 % at four times the time:
     * not worth it. Of few values, and of powers of two, other steps are other valleys. */
    const float factors[] = {1, -1, 2, 0.5f, 0.7f, 0.35f};
    const qz_block_book *book = t->s->book;
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        /* the extra negative code can serve either sign */
        const bool turned = t->s->sc_min == t->s->sc_max && t->s->q_min < 0 && -t->s->q_min != t->s->q_max;
        const bool power = book && book->d == QZ_D_POWER, few = book && book->n_values <= 4;
        if ((i == 1 && !turned) || (i > 1 && !few && !(power && i < 4))) continue;
        qz_block_fields f = start;
        f.d = start.d * factors[i];
        if (!power) f.d = to_half((double)f.d);
        if (f.d == 0 || (power && !(f.d < 0x1p126f))) continue;
        float e = descend(t, &f);
        if (e < least) least = e, best = f;
    }
    /* judged once more on the fields as they will be packed: never worse than the reference's block */
    if (block_error(t, &best, false) < block_error(t, &start, false)) qz_block_pack(type, &best, block);
}

/* One scale, no minimum, codes about 0: the kernel's case. */
static bool symmetric(const qz_block_shape *s) {
    return s->sc_min == s->sc_max && s->m_max == 0 && !s->float_min && s->book == NULL && s->q_min < 0 &&
           s->sub_len == QZ_SYM_VALUES;
}

static void refine_symmetric(const qz_refiner *by, qz_type type, const float *x, const float *importance, size_t cols,
                             uint8_t *row) {
    enum { BATCH = 16 };
    const qz_block_shape *s = qz_block_shape_get(type);
    const size_t bytes = qz_type_get(type)->bytes, blocks = cols / QZ_SYM_VALUES;
    qz_block_fields f[BATCH];
    for (size_t at = 0; at < blocks; at += BATCH) {
        const size_t n = qz_min_size(blocks - at, BATCH), k = at * QZ_SYM_VALUES;
        for (size_t i = 0; i < n; i++) qz_block_unpack(type, row + (at + i) * bytes, &f[i]);
        const uint32_t changed = by->sym(s, x + k, importance ? importance + k : NULL, n, f);
        for (size_t i = 0; i < n; i++)
            if (changed >> i & 1) qz_block_pack(type, &f[i], row + (at + i) * bytes);
    }
}

void qz_block_refine_row(const qz_refiner *by, qz_type type, const float *x, const float *importance, size_t cols,
                         void *row) {
    const qz_block_shape *s = qz_block_shape_get(type);
    if (s == NULL) return;
    if (symmetric(s)) {
        refine_symmetric(by, type, x, importance, cols, row);
        return;
    }
    const qz_type_info *info = qz_type_get(type);
    float ones[QZ_FIELDS_MAX];
    for (size_t k = 0; k < QZ_FIELDS_MAX; k++) ones[k] = 1;
    for (size_t k = 0; k < cols; k += info->elems) {
        const target t = {s, by->round, x + k, importance ? importance + k : ones, NULL};
        refine_block(type, &t, (uint8_t *)row + k / info->elems * info->bytes);
    }
}
