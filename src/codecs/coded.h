/* A coded matrix: any weight that is no plain float and no row of blocks (types.def). A kind is a struct that begins
 * with qz_coded and a table of operations; whoever holds the pointer decodes, names, hashes, packs, plans and explains
 * it without knowing the kind.
 * Kinds: integer groups (int_group.h: as files hold them, and as methods make them), bitsandbytes (bnb.h), FP8
 * (scaled_float.h). A kind that lacks an operation leaves it NULL; the callers below say so in one error or do without.
 *   const qz_coded *c = view->coded; c->ops->decode(c, row, 0, c->cols, y); qz_code_layout l = c->ops->layout(c);
 * Ownership: the arena of a tensor or a model, or a mapping. */
#ifndef QZ_CODECS_CODED_H
#define QZ_CODECS_CODED_H
#include "base/arena.h"
#include "base/hash.h"
#include "base/str.h"
#include "codecs/code_setting.h"
#include "codecs/small_float.h"
#include "codecs/type_id.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct qz_coded qz_coded;
/* (code − zero)·scale; table[code]·scale, or code·scale of signed bytes; element(code)·scale */
typedef enum { QZ_CODES_AFFINE, QZ_CODES_TABLE, QZ_CODES_FLOAT } qz_code_form;

/* How codes and scales lie over the matrix: what packed kernels, memory plans, grids and engine rules
 * need of any kind. */
typedef struct {
    qz_code_form form;
    const char *name;        /* of the codes: "int4", "nf4": kernels' names, tables */
    uint32_t bits;           /* of a code */
    size_t group, groups;    /* columns of a row that share a scale, and groups of a row;
                              * 0: blocks run over the ends of rows */
    bool sym;                /* AFFINE: one fixed zero point */
    bool rounded;            /* AFFINE: values are rounded to float_type */
    const uint32_t *g_idx;   /* [cols] group of each column, NULL: k / group */
    const float *table;      /* TABLE: [2^bits] values, NULL: the codes are signed bytes */
    qz_scale_type stored;    /* AFFINE, FLOAT: scales in the file */
    qz_small_float element;  /* FLOAT */
    float tensor;            /* E4M3, E4M3_TIMES: of qz_scale_under (scaled_float.h) */
} qz_code_layout;

typedef struct {
    const char *name;        /* of the kind, as counts print it: "int group", "bitsandbytes" */
    uint64_t number;         /* in hashes of sources: never changes */
    bool copied;             /* codes are copied out of the file when it is opened: its pages are not needed again */
    qz_code_layout (*layout)(const qz_coded *c);
    /* Columns [first, first+n) of a row, n <= cols − first; first is a multiple of 8. */
    void (*decode)(const qz_coded *c, size_t row, size_t first, size_t n, float *y);
    void (*codes)(const qz_coded *c, size_t row, uint8_t *out);              /* [cols], one byte each */
    float (*scale)(const qz_coded *c, size_t row, size_t group, int *zero);  /* of a group of a row; *zero: AFFINE */
    uint64_t (*held)(const qz_coded *c);                                     /* bytes kept beside the mapped file */
    void (*text)(const qz_coded *c, char out[32]);                           /* "int4 g128 sym", "nf4 double" */
    /* the codes, as sources are identified by */
    void (*hash)(const qz_coded *c, qz_sha256 *h);
    /* what the values are decoded to by the library that reads the file */
    qz_type (*float_type)(const qz_coded *c);
    /* How one value comes about, as lines of "  label        text"; offset: of the tensor in its file. */
    void (*explain)(const qz_coded *c, size_t row, size_t col, uint64_t offset, qz_str *out);
    /* Where a code stands in its file: *word is the index of a 32-bit word behind the tensor's offset, *shift its
     * lowest bit. False: unknown. */
    bool (*place)(const qz_coded *c, size_t row, size_t col, size_t *word, unsigned *shift);
    /* Matrices of equal settings one below the other, in the arena; NULL: they do not fit, or no memory. */
    const qz_coded *(*stack)(const qz_coded *const *parts, size_t n, qz_arena *arena);
    /* Gives its pages of the mapped file back, that memory stays one tensor; NULL: they stay. */
    void (*forget)(const qz_coded *c);
    /* A scale that no writer makes: *row, *group and the value; false: all are sound. Reads everything. */
    bool (*bad_scale)(const qz_coded *c, size_t *row, size_t *group, float *scale);
    /* The same numbers as blocks of a type of types.def, row by row (out NULL: can it?); false: no such blocks. */
    bool (*blocks)(const qz_coded *c, qz_type type, uint8_t *out);
} qz_coded_ops;

struct qz_coded {
    const qz_coded_ops *ops;
    size_t rows, cols;       /* [out_features, in_features] */
};

/* Does the matrix hold blocks of that type, in another order? */
static inline bool qz_coded_has_blocks(const qz_coded *c, qz_type type) {
    return c && c->ops->blocks && c->ops->blocks(c, type, NULL);
}
static inline void qz_coded_decode_row(const qz_coded *c, size_t row, float *y) {
    c->ops->decode(c, row, 0, c->cols, y);
}
#endif
