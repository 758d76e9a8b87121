/* IQ2 and IQ3: a block of 256 values is d, a float16 at its begin, and groups of values under one scale, each of points
 * of a code book and signs. A form is all that tells one of these types from another; encoder, decoder, fields (book.c)
 * and kernels are one for all: extern const qz_iq_form qz_iq2_xs_form, declared here for every QZ_POINTS of books.def.
 * Source: formats/ggml-quants.md section 8. */
#ifndef QZ_CODECS_IQ_FORM_H
#define QZ_CODECS_IQ_FORM_H
#include "codecs/iq_grid.h"

/* Most values of a group; values of a block; most groups of a block. */
enum { QZ_IQ_MAX = 32, QZ_IQ_BLOCK = 256, QZ_IQ_GROUPS = 16 };

/* A group as it is stored. */
typedef struct {
    uint16_t points[QZ_IQ_MAX / 4];
    uint8_t signs[QZ_IQ_MAX / 8]; /* for every eight values; bit i: value i is negative */
    uint8_t scale;                /* c stands for 2c+1 */
} qz_iq_group;

/* Which points are rounded once more at the scale found. */
typedef enum { QZ_IQ_REDO_ALL, QZ_IQ_REDO_OFF_GRID, QZ_IQ_REDO_ALL_IF_ANY } qz_iq_redo;
typedef struct {
    const qz_iq_grid *grid; /* a level l stands for 2l+1 in the search */
    size_t group, bytes;    /* values of a group, 16 or 32; bytes of a block */
    float unit;             /* y = d·(2·scale+1)·unit·point·±1 */
    bool even;              /* the number of minus signs among eight values is even: the eighth sign is not stored */
    void (*get)(const uint8_t *block, size_t b, qz_iq_group *g);
    /* Into zeros. at: the place of the low bytes of its points and of its signs, b but for a fault of IQ3_S. */
    void (*put)(const qz_iq_group *g, size_t b, size_t at, uint8_t *block);
    int tries;              /* scales tried: -tries..tries, */
    float step;             /* in steps of this */
    qz_iq_redo redo;
    float start;            /* the scale if nothing fits is max / start, the tries divide max; 0: both are what least
                             * squares over free levels say (IQ2_XXS) */
    float least;            /* a group whose largest magnitude is below stores nothing; 0: a group of zeros */
    float spread;           /* sigma2 of the weights is spread·Σx²/256 */
    bool floored;           /* weights without importance are sigma2/4 + x², else x² */
    float factor;           /* the d that is stored is this times the one that was found */
    bool keep;              /* a block whose scales are all 0 keeps points and signs, else it is zeros */
} qz_iq_form;
#define QZ_POINTS(id, form, ...) extern const qz_iq_form form;
#define QZ_BOOK(id, ...)
#include "codecs/books.def"
#undef QZ_POINTS
#undef QZ_BOOK

/* A group as the search leaves it. */
typedef struct {
    qz_iq_group g; /* signs of a scale that is positive */
    float scale;   /* negative: the signs turn */
    bool none;     /* nothing is stored */
} qz_iq_found;

/* One row of blocks in the reference's way, plain float32, sums in index order. moved: the fault of the reference's
 * IQ3_S, which writes every group one place too early for each group of zeros before it. */
void qz_iq_encode(const qz_iq_form *t, bool moved, const float *x, const float *importance, size_t cols, void *out);
/* Bytes of one block from its 256/group groups. */
void qz_iq_finish(const qz_iq_form *t, bool moved, const qz_iq_found *found, uint8_t *block);
void qz_iq_decode(const qz_iq_form *t, const void *in, size_t cols, float *y);
#endif
