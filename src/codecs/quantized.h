/* What a method hands to an artifact writer for one tensor. Methods never see a file layout.
 * Ownership: everything lives in the arena of one tensor (or block). */
#ifndef QZ_CODECS_QUANTIZED_H
#define QZ_CODECS_QUANTIZED_H
#include "codecs/bnb.h"
#include "codecs/int_group.h"
#include "codecs/types.h"

typedef struct {
    const char *name;        /* tensor name in the model's own (HF) spelling */
    qz_type type;            /* a block type, QZ_TYPE_INT_GROUP or QZ_TYPE_BNB */
    size_t rows, cols;
    const uint8_t *blocks;   /* encoded rows of a block type, row-major */
    size_t bytes;            /* of blocks */
    const uint8_t *codes;    /* int group: [rows, cols] one byte a code */
    const float *scales;     /* int group: [rows, groups], already rounded to what the file holds (f16) */
    const uint8_t *zero_points; /* int group: [rows, groups] */
    const uint32_t *g_idx;   /* int group: [cols] or NULL */
    const qz_bnb *bnb;       /* QZ_TYPE_BNB: codes and scales */
    uint32_t bits, group_size;
    bool sym;
    double error;            /* sum over the tensor of the method's objective; relative to the plain one in reports */
    double weight_mse;       /* mean squared difference to the float weights */
} qz_quantized;

/* A float tensor that a method changed (norms, v and up rows under AWQ). */
typedef struct {
    const char *name;
    size_t rows, cols;
    const float *data;       /* [rows, cols] */
} qz_folded;
#endif
