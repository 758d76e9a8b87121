/* Two models of any container side by side: every tensor's values, the configuration and metadata, tokenizer and chat
 * template. qz_diff_run fills tables; rows of q and k that GGUF keeps in another order are brought together first. */
#ifndef QZ_ARTIFACTS_DIFF_H
#define QZ_ARTIFACTS_DIFF_H
#include "base/table.h"
#include "artifacts/block_errors.h"

typedef struct {
    const char *name;
    char type[2][40];            /* in a and b; "" = not there */
    size_t rows, cols;
    bool same_shape;
    size_t different;            /* values that differ */
    bool folded;                 /* compared as the product with its partner: scales were moved between them */
    double rms, worst;           /* relative: sqrt(Σd²/Σa²); largest |d| over the largest |a| */
} qz_tensor_diff;

typedef struct {
    qz_tensor_diff *tensors; size_t n_tensors;
    size_t equal, unequal, missing; /* tensors; missing: in one of them only, or of another shape */
    double rms;                  /* over all tensors that both have */
    size_t folds, folded;        /* scales moved between operations: pairs, and tensors compared as products */
    qz_block_errors blocks;      /* of b, where it has 4-bit floats */
    size_t facts;                /* rows of `other` that differ */
    qz_table other;              /* subject, a, b: configuration, metadata, tokenizer, template */
} qz_diff;

/* What b's values are multiplied with before they are compared: rows [rows], columns [cols]; NULL: 1. */
typedef struct { const float *row, *col; } qz_diff_scale;

/* Scales that b has moved between operations, as those that bring it back to a (diff_fold.c): whatever container holds
 * them, from the values alone. */
typedef struct {
    const qz_source *a, *b;
    qz_diff_scale *of; /* [tensors of a] */
    size_t n;          /* folds found */
} qz_diff_folds;
qz_status qz_diff_folds_find(const qz_source *a, const qz_source *b, qz_arena *arena, qz_diff_folds *out,
                             qz_error *err);

/* Row of a's tensor x that holds row r of b's tensor of the same name. */
size_t qz_diff_row(const qz_model *a, const qz_model *b, const qz_tensor_view *x, size_t r);
/* w [cols] = u, a row of a's tensor x, in the order of b's columns. */
void qz_diff_columns(const qz_model *a, const qz_model *b, const qz_tensor_view *x, const float *u, float *w);
qz_status qz_diff_run(qz_run *run, const qz_source *a, const qz_source *b, const char *const paths[2], qz_arena *arena,
                      qz_diff *out, qz_error *err);
#endif
