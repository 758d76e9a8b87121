#include "methods/book_points.h"
#include <math.h>
#include <string.h>

enum { MOST = 64 };

static float cost_of(const qz_point_job *j, const float *t, float step, const int16_t *q) {
    const size_t n = j->book->point;
    float r[QZ_POINT], sum = 0;
    for (size_t i = 0; i < n; i++) r[i] = t[i] - step * (float)q[i];
    if (j->form == NULL) {
        for (size_t i = 0; i < n; i++) sum += j->weight[i] * r[i] * r[i];
        return sum;
    }
    for (size_t i = 0; i < n; i++) {
        float row = 0;
        for (size_t k = 0; k < n; k++) row += j->form[i * n + k] * r[k];
        sum += r[i] * row;
    }
    return sum;
}

/* The best candidate of the piece at `at`, the rest of q held; keeps q where none is better than *best. */
static void choose_piece(const qz_point_job *j, const float *t, float step, size_t at, unsigned signs, int16_t *q,
                         float *best) {
    const size_t size = j->book->grid->size;
    int16_t all[MOST][8], trial[QZ_POINT];
    float v[QZ_POINT];
    for (size_t i = 0; i < size; i++) v[i] = t[at + i] / step;
    const size_t n = qz_book_near(j->book, v, signs, j->most < MOST ? j->most : MOST, all);
    memcpy(trial, q, sizeof trial);
    for (size_t c = 0; c < n; c++) {
        memcpy(trial + at, all[c], size * sizeof *trial);
        const float cost = cost_of(j, t, step, trial);
        if (!(cost < *best)) continue;
        *best = cost;
        memcpy(q + at, all[c], size * sizeof *q);
    }
}

float qz_point_choose(const qz_point_job *j, const float *t, float step, int16_t *q) {
    const qz_block_book *b = j->book;
    const size_t n = b->point, size = b->grid->size;
    float v[QZ_POINT], w[QZ_POINT], best = INFINITY;
    int16_t found[QZ_POINT] = {0};
    for (size_t i = 0; i < n; i++) {
        v[i] = step != 0 ? t[i] / step : 0;
        w[i] = j->form ? j->form[i * (n + 1)] : j->weight[i];
    }
    if (step == 0 || !isfinite(step)) { /* any point does */
        memcpy(found, q, n * sizeof *q);
        return cost_of(j, t, 0, found);
    }
    if (b->signs == QZ_SIGNS_SHIFT) {
        for (unsigned down = 0; down < 2; down++)
            if (b->shared == 8 || down == j->shift) choose_piece(j, t, step, 0, down, found, &best);
    } else {
        const unsigned signs = qz_book_signs(b, v, w);
        int16_t first[1][8];
        for (size_t at = 0; at < n; at += size) { /* a start for what stands beside */
            (void)qz_book_near(b, v + at, signs >> at, 1, first);
            memcpy(found + at, first[0], size * sizeof *found);
        }
        best = cost_of(j, t, step, found);
        for (size_t pass = 0; pass < n / size; pass++)
            for (size_t at = 0; at < n; at += size) choose_piece(j, t, step, at, signs >> at, found, &best);
    }
    memcpy(q, found, n * sizeof *q);
    return best;
}
