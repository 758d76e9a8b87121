/* Scale searches (search.h). Every sum runs in index order in float32: vectorise over blocks, never inside a sum. */
#include "codecs/search.h"
#include "codecs/codecs_int.h"

enum { MAX_N = 32 };
static const float tiny = 1e-15f; /* blocks below this are zero */

/* One candidate of the symmetric search: codes l, Σ w·x·l and Σ w·l². */
typedef struct { float lx, l2; } sums;
static sums sym_pass(size_t n, int nmax, const float *x, const float *w, float is, int *l) {
    sums s = {0, 0};
    for (size_t i = 0; i < n; ++i) {
        l[i] = qz_clamp_int(qz_nearest(is * x[i]), -nmax, nmax - 1);
        s.lx += w[i] * x[i] * (float)l[i];
        s.l2 += w[i] * (float)l[i] * (float)l[i];
    }
    return s;
}

float qz_search_sym(size_t n, int nmax, const float *x, const float *w, uint8_t *L) {
    float max = qz_signed_max(x, n);
    int l[MAX_N];
    if (fabsf(max) < tiny) {
        memset(L, 0, n);
        return 0;
    }
    const sums first = sym_pass(n, nmax, x, w, -(float)nmax / max, l);
    for (size_t i = 0; i < n; ++i) L[i] = (uint8_t)(l[i] + nmax);
    float scale = first.l2 != 0 ? first.lx / first.l2 : 0, best = scale * first.lx;
    for (int s = -9; s <= 9; ++s) {
        if (s == 0) continue;
        const sums t = sym_pass(n, nmax, x, w, -((float)nmax + 0.1f * (float)s) / max, l);
        if (t.l2 > 0 && t.lx * t.lx > best * t.l2) {
            for (size_t i = 0; i < n; ++i) L[i] = (uint8_t)(l[i] + nmax);
            scale = t.lx / t.l2;
            best = scale * t.lx;
        }
    }
    return scale;
}

/* One sweep of coordinate moves; returns whether a code changed. */
static bool sym_sweep(size_t n, int nmax, const float *x, int *l, sums *s) {
    bool changed = false;
    for (size_t i = 0; i < n; ++i) {
        float w = x[i] * x[i], slx = s->lx - w * x[i] * (float)l[i];
        if (!(slx > 0)) continue;
        float sl2 = s->l2 - w * (float)l[i] * (float)l[i];
        int c = qz_clamp_int(qz_nearest(x[i] * sl2 / slx), -nmax, nmax - 1);
        if (c == l[i]) continue;
        slx += w * x[i] * (float)c;
        sl2 += w * (float)c * (float)c;
        if (sl2 > 0 && slx * slx * s->l2 > s->lx * s->lx * sl2) {
            l[i] = c;
            s->lx = slx;
            s->l2 = sl2;
            changed = true;
        }
    }
    return changed;
}

float qz_search_sweep(size_t n, int nmax, const float *x, uint8_t *L) {
    float max = qz_signed_max(x, n), w[MAX_N];
    int l[MAX_N];
    if (fabsf(max) < tiny) {
        memset(L, 0, n);
        return 0;
    }
    for (size_t i = 0; i < n; ++i) w[i] = x[i] * x[i];
    sums s = sym_pass(n, nmax, x, w, -(float)nmax / max, l);
    for (int sweep = 0; sweep < 5 && sym_sweep(n, nmax, x, l, &s);) ++sweep;
    for (size_t i = 0; i < n; ++i) L[i] = (uint8_t)(l[i] + nmax);
    return s.l2 > 0 ? s.lx / s.l2 : 0;
}

/* Σ w·err(scale·l + min − x). */
static float asym_error(size_t n, const float *x, const float *w, const int *l, float scale, float min, bool absolute) {
    float sum = 0;
    for (size_t i = 0; i < n; ++i) {
        float d = scale * (float)l[i] + min - x[i];
        sum += w[i] * (absolute ? fabsf(d) : d * d);
    }
    return sum;
}

float qz_search_asym(size_t n, const qz_search_grid *g, const float *x, const float *w, uint8_t *L, float *the_min) {
    float min = x[0], max = x[0], sum_w = w[0], sum_x = w[0] * x[0];
    int l[MAX_N], kept[MAX_N];
    for (size_t i = 1; i < n; ++i) {
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
        sum_w += w[i];
        sum_x += w[i] * x[i];
    }
    if (min > 0) min = 0;
    if (max <= min) {
        memset(L, 0, n);
        *the_min = -min;
        return 0;
    }
    float is = (float)g->nmax / (max - min), scale = 1 / is;
    for (size_t i = 0; i < n; ++i) kept[i] = qz_clamp_int(qz_nearest(is * (x[i] - min)), 0, g->nmax);
    float best = asym_error(n, x, w, kept, scale, min, g->absolute);
    for (int s = 0; s <= g->nstep; ++s) {
        float sum_l = 0, sum_l2 = 0, sum_xl = 0;
        is = (g->rmin + g->rdelta * (float)s + (float)g->nmax) / (max - min); /* min is the accepted one by now */
        for (size_t i = 0; i < n; ++i) {
            l[i] = qz_clamp_int(qz_nearest(is * (x[i] - min)), 0, g->nmax);
            sum_l += w[i] * (float)l[i];
            sum_l2 += w[i] * (float)l[i] * (float)l[i];
            sum_xl += w[i] * (float)l[i] * x[i];
        }
        float det = sum_w * sum_l2 - sum_l * sum_l;
        if (!(det > 0)) continue;
        float sc = (sum_w * sum_xl - sum_x * sum_l) / det, mn = (sum_l2 * sum_x - sum_l * sum_xl) / det;
        if (mn > 0) {
            mn = 0;
            sc = sum_xl / sum_l2;
        }
        float e = asym_error(n, x, w, l, sc, mn, g->absolute);
        if (e < best) {
            memcpy(kept, l, n * sizeof *l);
            best = e;
            scale = sc;
            min = mn;
        }
    }
    for (size_t i = 0; i < n; ++i) L[i] = (uint8_t)kept[i];
    *the_min = -min;
    return scale;
}

/* Grid part of qz_search_pos: the best inverse scale. */
static float pos_grid(size_t n, int nmax, const float *x, const float *w, float max) {
    float is = (float)nmax / max, sc = 1 / is, best = 0;
    for (size_t i = 0; i < n; ++i) {
        float d = x[i] - sc * (float)(uint8_t)qz_nearest(is * x[i]); /* x < 0 (IQ2_XXS) wraps, as the reference's */
        best += w[i] * d * d;
    }
    for (int s = -4; s <= 4; ++s) {
        if (s == 0) continue;
        float is_s = (0.1f * (float)s + (float)nmax) / max, e = 0;
        sc = 1 / is_s;
        for (size_t i = 0; i < n; ++i) {
            int l = qz_nearest(is_s * x[i]);
            float d = x[i] - sc * (float)(l < nmax ? l : nmax);
            e += w[i] * d * d;
        }
        if (e < best) {
            best = e;
            is = is_s;
        }
    }
    return is;
}

float qz_search_pos(size_t n, int nmax, const float *x, const float *w, uint8_t *L) {
    float max = 0, lx = 0, l2 = 0;
    for (size_t i = 0; i < n; ++i) max = x[i] > max ? x[i] : max;
    if (max < tiny) {
        memset(L, 0, n);
        return 0;
    }
    float is = pos_grid(n, nmax, x, w, max);
    for (size_t i = 0; i < n; ++i) {
        int l = qz_nearest(is * x[i]);
        if (l > nmax) l = nmax;
        L[i] = (uint8_t)l;
        lx += w[i] * x[i] * (float)l;
        l2 += w[i] * (float)l * (float)l;
    }
    for (int sweep = 0; sweep < 5; ++sweep) {
        bool changed = false;
        for (size_t i = 0; i < n; ++i) {
            float slx = lx - w[i] * x[i] * (float)L[i], sl2 = l2 - w[i] * (float)L[i] * (float)L[i];
            if (!(slx > 0 && sl2 > 0)) continue;
            int c = qz_nearest(x[i] * sl2 / slx);
            if (c > nmax) c = nmax;
            if (c == L[i]) continue;
            slx += w[i] * x[i] * (float)c;
            sl2 += w[i] * (float)c * (float)c;
            if (slx * slx * l2 > lx * lx * sl2) {
                L[i] = (uint8_t)c;
                lx = slx;
                l2 = sl2;
                changed = true;
            }
        }
        if (!changed) break;
    }
    return l2 > 0 ? lx / l2 : 0;
}

float qz_sum_squares(const float *x, size_t n) {
    float sum = 0;
    for (size_t i = 0; i < n; ++i) sum += x[i] * x[i];
    return sum;
}

float qz_importance_weights(const float *x, const float *importance, size_t n, float sigma2, float *w) {
    float sum = 0;
    for (size_t i = 0; i < n; ++i) {
        w[i] = importance[i] * sqrtf(sigma2 + x[i] * x[i]);
        sum += w[i];
    }
    return sum;
}
