/* The fields of one block of a GGUF type in a common form, for methods that refine an encoded block:
 * value j of sub-block b = (d·sc[b])·q[j] − dmin·m[b], all in float32 as the decoders compute it. Types without mins
 * have m_max = 0; one-scale types have one sub-block with sc fixed at 1; Q4_1 and Q5_1 hold their float minimum as dmin
 * with m = −1.
 * Source: the layouts at the top of each codecs/<type>.c. */
#ifndef QZ_CODECS_FIELDS_H
#define QZ_CODECS_FIELDS_H
#include <stdbool.h>
#include <stdint.h>
#include "codecs/type_id.h"

enum { QZ_FIELDS_MAX = 256, QZ_FIELDS_SUBS = 16 };

typedef struct {
    uint32_t subs, sub_len;    /* subs·sub_len = values of a block */
    int q_min, q_max;
    int sc_min, sc_max;        /* equal: fixed */
    int m_max;                 /* integer mins 0..m_max; 0: none */
    bool float_min;            /* dmin is the block's own float minimum (m = −1 fixed) */
} qz_block_shape;

typedef struct {
    float d, dmin;
    int16_t sc[QZ_FIELDS_SUBS], m[QZ_FIELDS_SUBS];
    int16_t q[QZ_FIELDS_MAX];
} qz_block_fields;

/* NULL for types without this form (floats, activation types). */
const qz_block_shape *qz_block_shape_get(qz_type t);
void qz_block_unpack(qz_type t, const void *block, qz_block_fields *f);
/* d and dmin must be float16 values; the fields must lie in the shape's ranges. */
void qz_block_pack(qz_type t, const qz_block_fields *f, void *block);
#endif
