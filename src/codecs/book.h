/* The fields (fields.h) of types whose codes stand for values of a table or points of a code book: IQ, FP4, ternary,
 * Q1_0, Q2_0. */
#ifndef QZ_CODECS_BOOK_H
#define QZ_CODECS_BOOK_H
#include "codecs/fields.h"

const qz_block_shape *qz_book_shape(qz_type t);
void qz_book_unpack(qz_type t, const uint8_t *block, qz_block_fields *f);
void qz_book_pack(qz_type t, const qz_block_fields *f, uint8_t *block);
#endif
