/* What Q4_K and Q5_K share: a head of d f16 @0, dmin f16 @2 and eight 6-bit (scale, min) pairs in 12 bytes @4, for
 * sub-blocks of 32 values: y = (d·sc)·q − (dmin·m). Private to codecs/. */
#ifndef QZ_CODECS_K_COMMON_H
#define QZ_CODECS_K_COMMON_H
#include "codecs/codecs_int.h"
#include "codecs/search.h"

enum { QZ_K = 256, QZ_K45_HEAD = 16 };

/* 6-bit pair of sub-block b: the first four pairs lie plainly in bytes b and b+4; the low nibbles of pairs 4..7 fill
 * bytes 8..11 and their top two bits the tops of bytes b-4 and b. */
static inline void qz_k_pair(const uint8_t *s, size_t b, int *sc, int *m) {
    if (b < 4) {
        *sc = s[b] & 63;
        *m = s[b + 4] & 63;
    } else {
        *sc = (s[b + 4] & 15) | (s[b - 4] >> 6) << 4;
        *m = (s[b + 4] >> 4) | (s[b] >> 6) << 4;
    }
}
void qz_k_put_pairs(const uint8_t sc[8], const uint8_t m[8], uint8_t out[12]);

/* Searches scales, mins and codes 0..grid->nmax of one block of 256. `grid` is the plain one of the type; with
 * importance the common finer grid is used. */
void qz_k45_search(const float *x, const float *importance, const qz_search_grid *grid, qz_k_found *f);
/* Scale codes into the head, and the codes once more with the scales as stored. */
void qz_k45_finish(const float *x, bool weighted, int nmax, qz_k_found *f, uint8_t *head);
#endif
