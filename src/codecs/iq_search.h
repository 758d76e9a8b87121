/* Searches shared by the reference encoders of the IQ types (formats/ggml-quants.md section 8): plain float32, sums in
 * index order, so that the bytes equal the reference library's. Private to codecs/. */
#ifndef QZ_CODECS_IQ_SEARCH_H
#define QZ_CODECS_IQ_SEARCH_H
#include "codecs/codecs_int.h"
#include "codecs/iq_grid.h"
#include "codecs/search.h"

enum { QZ_IQ_MAX = 32 };

/* Magnitudes of x [n] and a byte of signs for every eight (bit i: value i is negative). even: an odd number of minus
 * signs turns the sign of the value with the least weight·x², whose magnitude becomes negative. */
void qz_iq_split(const float *x, const float *w, size_t n, bool even, float *magnitude, uint8_t *signs);
/* w [n] of a group: importance·sqrt(sigma2 + x²), without importance x². */
void qz_iq_weigh(const float *x, const float *importance, size_t n, float sigma2, float *w);
/* y = scale·point·±1 of the values of a point; bit i of signs: value i is negative. */
static inline void qz_iq_values(const qz_iq_grid *g, size_t point, float scale, unsigned signs, float *y) {
    const int8_t *v = g->values + point * g->size;
    for (size_t i = 0; i < g->size; ++i) y[i] = scale * (float)v[i] * (signs >> i & 1u ? -1.0f : 1.0f);
}
/* The largest. */
float qz_iq_max(const float *magnitude, size_t n);

/* Which groups are rounded once more at the scale found. */
typedef enum { QZ_IQ_REDO_ALL, QZ_IQ_REDO_OFF_GRID, QZ_IQ_REDO_ALL_IF_ANY } qz_iq_redo;
typedef struct {
    const qz_iq_grid *grid; /* IQ2 and IQ3: a level l stands for 2l+1 here */
    int tries;              /* scales tried: -tries..tries */
    float step;
    qz_iq_redo redo;
} qz_iq_plan;
/* magnitude [n] ≈ result·(2·levels+1), levels on the grid. start: the scale if nothing fits; reach: what the tries
 * divide, the largest magnitude or an estimate of it. The result may be negative. */
float qz_iq_search(const qz_iq_plan *p, size_t n, const float *magnitude, const float *w, float start, float reach,
                   uint8_t levels[QZ_IQ_MAX]);
/* The point that holds these levels (0 if they are none: cannot be after a search). */
static inline unsigned qz_iq_point(const qz_iq_grid *g, const uint8_t *levels) {
    const int32_t at = g->place[qz_iq_key(g, levels)];
    return at < 0 ? 0 : (unsigned)at;
}
/* Code c of a scale that stands for 2c+1 steps; id: 1/step. */
static inline uint8_t qz_iq_scale_code(float id, float scale, int most) {
    return (uint8_t)qz_clamp_int(qz_nearest(0.5f * (id * scale - 1)), 0, most);
}
#endif
