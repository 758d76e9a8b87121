/* What a method hands to an artifact writer for one tensor. Methods never see a file layout.
 * Ownership: everything lives in the arena of one tensor (or block). */
#ifndef QZ_CODECS_QUANTIZED_H
#define QZ_CODECS_QUANTIZED_H
#include "codecs/coded.h"

typedef struct {
    const char *name;        /* tensor name in the model's own (HF) spelling */
    qz_type type;            /* a block type, or QZ_TYPE_CODED */
    size_t rows, cols;
    const uint8_t *blocks;   /* encoded rows of a block type, row-major */
    size_t bytes;            /* of blocks */
    const qz_coded *coded;   /* QZ_TYPE_CODED: codes and scales of the whole matrix */
    double error;            /* sum over the tensor of the method's objective */
    double energy;           /* that objective of the weights themselves: error / energy is relative; 0: not known */
    double weight_mse;       /* mean squared difference to the float weights */
    const float *input_scales; /* [cols] that columns were multiplied by: the inputs come divided by them; NULL: none */
    bool finite;             /* whoever coded it has decoded every value: none is NaN or infinite */
} qz_quantized;

/* A float tensor that a method changed (norms, v and up rows under AWQ). */
typedef struct {
    const char *name;
    size_t rows, cols;
    const float *data;       /* [rows, cols] */
} qz_folded;
#endif
