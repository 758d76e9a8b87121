/* The point of a code book (codecs/book.h) that comes nearest to a target: what the search, the error feedback and the
 * descent of GGUF's IQ types share. Pure functions. */
#ifndef QZ_METHODS_BOOK_POINTS_H
#define QZ_METHODS_BOOK_POINTS_H
#include "codecs/book.h"

enum { QZ_POINT = 8 }; /* values of a point at most */

typedef struct {
    const qz_block_book *book;
    unsigned shift;      /* IQ1_S: the shift of the sub-block, 1: down. Types that shift each point try both */
    size_t most;         /* candidates of a piece, nearest first (choose) */
} qz_point_job;
/* q [point] of least Σ weight·(t − step·q)²; returns that. A step of 0 leaves q. */
float qz_point_round(const qz_point_job *j, const float *weight, const float *t, float step, int16_t *q);
/* q of least (t − step·q)ᵀ form (t − step·q) among the candidates; form [QZ_POINT, QZ_POINT] symmetric, zeros beyond
 * the point. */
float qz_point_choose(const qz_point_job *j, const float *form, const float *t, float step, int16_t *q);
/* Whether q [8] is shifted down (IQ1). */
static inline unsigned qz_point_down(const int16_t *q) { return q[0] == -9 || q[0] == -1 || q[0] == 7; }
#endif
