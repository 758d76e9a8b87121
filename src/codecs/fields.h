/* The fields of one block of a GGUF type in a common form, for methods that refine an encoded block and for kernels:
 * value j of sub-block b = (d·unit·sc[b])·q[j] − dmin·m[b], all in float32 as the decoders compute it. Types without
 * mins have m_max = 0; one-scale types have one sub-block with sc fixed at 1; Q4_1 and Q5_1 hold their float minimum as
 * dmin with m = −1. Types of a code book or a table say in `book` which q there are and which may stand together.
 * Source: the layouts at the top of each codecs/<type>.c. */
#ifndef QZ_CODECS_FIELDS_H
#define QZ_CODECS_FIELDS_H
#include <stdbool.h>
#include <stdint.h>
#include "codecs/iq_grid.h"
#include "codecs/type_id.h"

enum { QZ_FIELDS_MAX = 256, QZ_FIELDS_SUBS = 16, QZ_BOOK_VALUES = 16 };
/* Values of a block with one scale, symmetric about 0 (Q4_0, Q5_0, Q8_0). */
enum { QZ_SYM_VALUES = 32 };

/* What d may be: a float16, a power of two (MXFP4), 1 (NVFP4, whose sub-blocks have floats of their own). */
typedef enum { QZ_D_HALF, QZ_D_POWER, QZ_D_ONE } qz_d_kind;
/* Scales of sub-blocks: the integers of the range, the odd ones, or codes of E4M3 (halved). */
typedef enum { QZ_SC_ALL, QZ_SC_ODD, QZ_SC_E4M3 } qz_sc_kind;
/* Signs of a point's values: any, an even number of minus signs among eight, or (IQ1) no magnitudes but eight times
 * (point ± 0.125). */
typedef enum { QZ_SIGNS_FREE, QZ_SIGNS_EVEN, QZ_SIGNS_SHIFT } qz_signs;

typedef struct {
    const int8_t *values;      /* [n_values] ascending: what a q may be */
    uint8_t n_values;
    uint8_t point;             /* values that are chosen together, 1: each for itself */
    qz_d_kind d;
    qz_sc_kind sc;
    const qz_iq_grid *grid;    /* of points; NULL: point is 1 */
    qz_signs signs;
    uint8_t shared;            /* values that share a shift (IQ1) */
} qz_block_book;

typedef struct {
    uint32_t subs, sub_len;    /* subs·sub_len = values of a block */
    int q_min, q_max;
    int sc_min, sc_max;        /* equal: fixed */
    int m_max;                 /* integer mins 0..m_max; 0: none */
    bool float_min;            /* dmin is the block's own float minimum (m = −1 fixed) */
    float unit;
    const qz_block_book *book; /* NULL: q is any integer of its range */
} qz_block_shape;

typedef struct {
    float d, dmin;
    int16_t sc[QZ_FIELDS_SUBS], m[QZ_FIELDS_SUBS];
    int16_t q[QZ_FIELDS_MAX];
} qz_block_fields;

/* NULL for types without this form (floats, activation types, numbers). */
const qz_block_shape *qz_block_shape_get(qz_type t);
void qz_block_unpack(qz_type t, const void *block, qz_block_fields *f);
/* d and dmin must be what the type can hold; the fields must lie in the shape's ranges, points in its code book. */
void qz_block_pack(qz_type t, const qz_block_fields *f, void *block);
/* What a scale stands for, and the step of a sub-block with it. */
float qz_block_scale(const qz_block_shape *s, int sc);
static inline float qz_block_step(const qz_block_shape *s, const qz_block_fields *f, size_t b) {
    return f->d * s->unit * qz_block_scale(s, f->sc[b]);
}
#endif
