/* Error of each block of codes that has a scale of its own: sqrt(sum d^2 / sum w^2) over its values. A matrix whose
 * mean looks fine can hold blocks of which nothing is left; FP4 formats have them (C-48, C-171). Blocks of zeros do
 * not count.
 *   qz_block_errors e = {0}; if (qz_block_errors_begin(&e, y)) for each row: qz_block_errors_row(&e, y, row, w, v);
 *   qz_block_errors_text(&e, &s); qz_block_errors_json(&e, &s).
 * Ownership: names stay the tensors'. */
#ifndef QZ_ARTIFACTS_BLOCK_ERRORS_H
#define QZ_ARTIFACTS_BLOCK_ERRORS_H
#include "artifacts/artifact.h"
#include "artifacts/source.h"

enum { QZ_BLOCK_BINS = 512 };
typedef struct {
    size_t block;                  /* values; of the tensor in hand */
    uint64_t blocks, lost;         /* lost: error of 100 % or more */
    double sum, worst;
    const char *worst_tensor;
    size_t worst_row, worst_block;
    uint64_t bin[QZ_BLOCK_BINS];   /* by steps of 0.2 %, the last one open */
} qz_block_errors;

/* Are these 4-bit floats in blocks? Then rows of y follow. */
bool qz_block_errors_begin(qz_block_errors *e, const qz_tensor_view *y);
/* w [cols] what row `row` of y was made of, v [cols] what it decodes to. */
void qz_block_errors_row(qz_block_errors *e, const qz_tensor_view *y, size_t row, const float *w, const float *v);
/* 99 % of the blocks have at most this error. */
double qz_block_errors_p99(const qz_block_errors *e);
/* Of an artifact m of the plan against its source; scales that were folded into other operations are undone. */
qz_status qz_block_errors_of(const qz_artifact_plan *plan, const qz_source *s, qz_model *m, qz_block_errors *out,
                             qz_error *err);
/* "error of blocks of 16: mean 9.5 %, 99 % below 12.6 %, worst 38.2 % (layers.3.mlp.down_proj, row 12, block 3); of
 * 294912 blocks 0 lose everything"; nothing where no block has any. */
void qz_block_errors_text(const qz_block_errors *e, qz_str *s);
void qz_block_errors_json(const qz_block_errors *e, qz_str *s);
#endif
