/* Values and points near a target (book.h). */
#include "codecs/book.h"
#include <math.h>
#include <string.h>

int16_t qz_book_nearest(const qz_block_book *b, int q_max, float v) {
    size_t i = 0;
    while (i + 1 < b->n_values && b->values[i + 1] <= q_max && 2 * v >= (float)(b->values[i] + b->values[i + 1])) ++i;
    return b->values[i];
}

unsigned qz_book_signs(const qz_block_book *b, const float *v, const float *w) {
    unsigned signs = 0;
    size_t at = 0;
    float least = INFINITY;
    if (b->signs == QZ_SIGNS_SHIFT) return 0;
    for (size_t i = 0; i < b->point; ++i) {
        signs |= (unsigned)(v[i] < 0) << i;
        if (w[i] * fabsf(v[i]) < least) {
            least = w[i] * fabsf(v[i]);
            at = i;
        }
    }
    if (b->signs == QZ_SIGNS_EVEN && __builtin_popcount(signs) % 2) signs ^= 1u << at;
    return signs;
}

/* Levels whose values are nearest: of magnitudes, or of IQ1's three with their shift. */
static void levels_of(const qz_block_book *b, const float *v, unsigned signs, uint8_t *l) {
    const size_t half = b->n_values / 2;
    for (size_t i = 0; i < b->grid->size; ++i) {
        l[i] = 0;
        if (b->signs == QZ_SIGNS_SHIFT) { /* -9 -1 7 or -7 1 9 */
            const float x = v[i] + (signs ? 1 : -1);
            l[i] = (uint8_t)((x >= -4) + (x >= 4));
            continue;
        }
        const float x = signs >> i & 1u ? -v[i] : v[i];
        while (l[i] + 1u < half && 2 * x >= (float)(b->values[half + l[i]] + b->values[half + l[i] + 1u])) ++l[i];
    }
}

/* What a level stands for with its sign (IQ1: with the shift). */
static int16_t level_value(const qz_block_book *b, unsigned level, unsigned minus) {
    if (b->signs == QZ_SIGNS_SHIFT) return (int16_t)(8 * ((int)level - 1) + (minus ? -1 : 1));
    const int8_t v = b->values[b->n_values / 2u + level];
    return (int16_t)(minus ? -v : v);
}

static void values_of(const qz_block_book *b, size_t point, unsigned signs, int16_t *q) {
    const int8_t *v = b->grid->values + point * b->grid->size;
    for (size_t i = 0; i < b->grid->size; ++i)
        q[i] = (int16_t)(b->signs == QZ_SIGNS_SHIFT ? 8 * v[i] + (signs ? -1 : 1) : signs >> i & 1u ? -v[i] : v[i]);
}

float qz_book_round(const qz_block_book *b, const float *v, const float *w, unsigned signs, int16_t *q) {
    const qz_iq_grid *g = b->grid;
    const size_t size = g->size;
    uint8_t l[8];
    float cost[8][8] = {{0}}, best = INFINITY;
    const uint16_t *list = NULL;
    size_t n = 0;
    levels_of(b, v, signs, l);
    int found = qz_iq_find(g, l, &list, &n); /* on the grid: nothing is nearer */
    for (uint8_t k = 0; k < g->base; ++k)
        for (size_t i = 0; i < size; ++i) {
            const float d = v[i] - (float)level_value(b, k, signs >> (b->signs == QZ_SIGNS_SHIFT ? 0 : i) & 1u);
            cost[i][k] = w[i] * d * d;
        }
    if (found >= 0) {
        best = 0;
        for (size_t i = 0; i < size; ++i) best += cost[i][l[i]];
    } else found = list[0];
    for (size_t c = 0; c < n; ++c) {
        const uint8_t *levels = g->levels + (size_t)list[c] * size;
        float sum = 0;
        for (size_t i = 0; i < size; ++i) sum += cost[i][levels[i]];
        if (sum < best) {
            best = sum;
            found = list[c];
        }
    }
    values_of(b, (size_t)found, signs, q);
    return best;
}

size_t qz_book_near(const qz_block_book *b, const float *v, unsigned signs, size_t most, int16_t (*out)[8]) {
    const qz_iq_grid *g = b->grid;
    uint8_t l[8];
    const uint16_t *list;
    size_t n = 0, k = 0;
    levels_of(b, v, signs, l);
    const int at = qz_iq_find(g, l, &list, &n);
    if (at < 0) {
        for (; k < n && k < most; ++k) values_of(b, list[k], signs, out[k]);
        return k;
    }
    values_of(b, (size_t)at, signs, out[k++]);
    for (size_t i = 0; i < g->size; ++i) /* points beside it, one level away */
        for (int d = -1; d <= 1; d += 2) {
            if (l[i] + d < 0 || l[i] + d >= g->base || k == most) continue;
            l[i] = (uint8_t)(l[i] + d);
            const int beside = qz_iq_find(g, l, &list, &n);
            if (beside >= 0) values_of(b, (size_t)beside, signs, out[k++]);
            l[i] = (uint8_t)(l[i] - d);
        }
    return k;
}
