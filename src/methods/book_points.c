#include "methods/book_points.h"
#include <math.h>
#include <string.h>

enum { MOST = 64 };

static bool usable(float step) { return step != 0 && isfinite(step); }

float qz_point_round(const qz_point_job *j, const float *weight, const float *t, float step, int16_t *q) {
    const qz_block_book *b = j->book;
    const size_t n = b->point, size = b->grid->size;
    float v[QZ_POINT] = {0}, sum = 0;
    if (!usable(step)) {
        for (size_t i = 0; i < n; i++) sum += weight[i] * t[i] * t[i];
        return sum;
    }
    const float inverse = 1.0f / step;
    for (size_t i = 0; i < n; i++) v[i] = t[i] * inverse;
    if (b->signs == QZ_SIGNS_SHIFT) {
        int16_t other[QZ_POINT];
        const unsigned down = b->shared == n ? 0 : j->shift;
        sum = qz_book_round(b, v, weight, down, q);
        const float turned = b->shared == n ? qz_book_round(b, v, weight, 1, other) : INFINITY;
        if (turned < sum) {
            sum = turned;
            memcpy(q, other, n * sizeof *q);
        }
        return sum * step * step;
    }
    const unsigned signs = qz_book_signs(b, v, weight);
    for (size_t at = 0; at < n; at += size) sum += qz_book_round(b, v + at, weight + at, signs >> at, q + at);
    return sum * step * step;
}

/* In whole rows of QZ_POINT, so that the compiler makes vectors of them. */
static float cost_of(const float *form, const float *t, float step, const int16_t *q) {
    float r[QZ_POINT], sum[QZ_POINT] = {0}, all = 0;
    for (size_t i = 0; i < QZ_POINT; i++) r[i] = t[i] - step * (float)q[i];
    for (size_t i = 0; i < QZ_POINT; i++)
        for (size_t k = 0; k < QZ_POINT; k++) sum[k] += form[i * QZ_POINT + k] * r[i];
    for (size_t k = 0; k < QZ_POINT; k++) all += sum[k] * r[k];
    return all;
}

typedef struct { const qz_point_job *j; const float *form, *t; float step; } choice;
/* The best candidate of the piece at `at`, the rest of q held; keeps q where none is better than *best. */
static void choose_piece(const choice *c, size_t at, unsigned signs, int16_t *q, float *best) {
    const size_t size = c->j->book->grid->size;
    int16_t all[MOST][8], trial[QZ_POINT];
    float v[QZ_POINT] = {0};
    for (size_t i = 0; i < size; i++) v[i] = c->t[at + i] / c->step;
    const size_t n = qz_book_near(c->j->book, v, signs, c->j->most < MOST ? c->j->most : MOST, all);
    memcpy(trial, q, sizeof trial);
    for (size_t k = 0; k < n; k++) {
        memcpy(trial + at, all[k], size * sizeof *trial);
        const float cost = cost_of(c->form, c->t, c->step, trial);
        if (!(cost < *best)) continue;
        *best = cost;
        memcpy(q + at, all[k], size * sizeof *q);
    }
}

float qz_point_choose(const qz_point_job *j, const float *form, const float *target, float step, int16_t *q) {
    const qz_block_book *b = j->book;
    const size_t n = b->point, size = b->grid->size;
    float t[QZ_POINT] = {0}, v[QZ_POINT] = {0}, w[QZ_POINT] = {0}, best = INFINITY;
    int16_t found[QZ_POINT] = {0};
    memcpy(t, target, n * sizeof *t);
    if (!usable(step)) {
        memcpy(found, q, n * sizeof *q);
        return cost_of(form, t, 0, found);
    }
    const choice c = {j, form, t, step};
    for (size_t i = 0; i < n; i++) {
        v[i] = t[i] / step;
        w[i] = form[i * (QZ_POINT + 1)];
    }
    if (b->signs == QZ_SIGNS_SHIFT) {
        for (unsigned down = 0; down < 2; down++)
            if (b->shared == n || down == j->shift) choose_piece(&c, 0, down, found, &best);
    } else {
        const unsigned signs = qz_book_signs(b, v, w);
        for (size_t at = 0; at < n; at += size) /* a start for what stands beside */
            (void)qz_book_round(b, v + at, w + at, signs >> at, found + at);
        best = cost_of(form, t, step, found);
        for (size_t pass = 0; pass < n / size; pass++)
            for (size_t at = 0; at < n; at += size) choose_piece(&c, at, signs >> at, found, &best);
    }
    memcpy(q, found, n * sizeof *q);
    return best;
}
