/* The number of a float or block type and the form of its coders, without the list. Headers that only carry one (a
 * tensor, a configuration, an item of a plan) include this; a file that names a type or asks for its properties
 * includes codecs/types.h. So a new row of types.def recompiles who reads it. */
#ifndef QZ_CODECS_TYPE_ID_H
#define QZ_CODECS_TYPE_ID_H
#include <stddef.h>

typedef unsigned qz_type; /* a QZ_TYPE_… of types.h, or one of these, which are above them all */
enum {
    QZ_TYPE_CODED = 1000, /* no fixed block: a coded matrix of any kind (coded.h) */
    QZ_TYPE_NONE
};
/* x [cols] -> out [cols/elems*bytes]; importance [cols] or NULL (ignored by types that do not use it). */
typedef void (*qz_encode_fn)(const float *x, const float *importance, size_t cols, void *out);
/* in -> y [cols] */
typedef void (*qz_decode_fn)(const void *in, size_t cols, float *y);
#endif
