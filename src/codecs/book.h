/* The fields (fields.h) of types whose codes stand for values of a table or points of a code book: IQ, FP4, ternary,
 * Q1_0, Q2_0. */
#ifndef QZ_CODECS_BOOK_H
#define QZ_CODECS_BOOK_H
#include "codecs/fields.h"

const qz_block_shape *qz_book_shape(qz_type t);
void qz_book_unpack(qz_type t, const uint8_t *block, qz_block_fields *f);
void qz_book_pack(qz_type t, const qz_block_fields *f, uint8_t *block);

/* Of targets in steps (target / step). The nearest of a table's values, not above q_max. */
int16_t qz_book_nearest(const qz_block_book *b, int q_max, float v);
/* Signs of b->point values: their own; where their number must be even, the one that costs least under w turns. */
unsigned qz_book_signs(const qz_block_book *b, const float *v, const float *w);
/* The point of these signs nearest to v [grid->size] under weights w, and Σ w·(v − q)². */
float qz_book_round(const qz_block_book *b, const float *v, const float *w, unsigned signs, int16_t *q);
/* Points near v [grid->size] with these signs (IQ1: 1 for a shift down): at most `most`, nearest first. */
size_t qz_book_near(const qz_block_book *b, const float *v, unsigned signs, size_t most, int16_t (*out)[8]);
#endif
