/* What IQ1_S and IQ1_M share: points of eight values −1 0 1, each moved by +0.125 or −0.125, and the exact split of
 * sorted values into the three levels. Private to codecs/. */
#ifndef QZ_CODECS_IQ1_H
#define QZ_CODECS_IQ1_H
#include "codecs/iq_search.h"

/* Values of the levels with the shift up and down. */
static const float qz_iq1_values[2][3] = {{-0.875f, 0.125f, 1.125f}, {-1.125f, -0.125f, 0.875f}};

/* What a split of n values found: levels by index, the scale (>= 0), whether each half of the values is shifted down
 * (IQ1_S: both the same). */
typedef struct { float scale; bool down[2]; uint8_t levels[QZ_IQ_MAX]; } qz_iq1_split;
/* Indices of x [n] in ascending order of value, equals in order of index. */
void qz_iq1_sort(const float *x, size_t n, uint8_t *order);
/* Levels to points: combinations off the grid go to the nearest point under w, and then the scale is fitted again.
 * points [n/8]. */
void qz_iq1_to_points(size_t n, const float *x, const float *w, qz_iq1_split *f, uint16_t *points);
#endif
