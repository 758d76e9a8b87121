/* GGUF block formats. compat: the reference quantizer's bytes (formats/ggml-quants.md). best: starts from them and
 * refines scales and codes of each block under the same objective, Σ importance·(x−x̂)² (plain squares without
 * importance): never worse than the reference on any row, lower in total. Rows are independent; threads split rows. */
#ifndef QZ_METHODS_BLOCK_SEARCH_H
#define QZ_METHODS_BLOCK_SEARCH_H
#include "base/arena.h"
#include "base/run.h"
#include "codecs/quantized.h"
#include "kernels/encode.h"

typedef enum { QZ_SEARCH_COMPAT, QZ_SEARCH_BEST } qz_search;
/* "compat" or "best". */
qz_status qz_search_parse(const char *text, qz_search *out, qz_error *err);
typedef struct {
    qz_run *run;
    qz_type type;
    const float *w;             /* [rows, cols] */
    size_t rows, cols;
    const float *importance;    /* [cols] or NULL */
    qz_search search;
} qz_block_job;
/* out->blocks in arena; out->error: the objective; weight_mse as named. */
qz_status qz_block_quantize(const qz_block_job *b, qz_arena *arena, qz_quantized *out, qz_error *err);
/* Rows of blocks or floats at this run's CPU level: the codecs' bits. */
qz_decoder_fn qz_block_decoder(const qz_run *run, qz_type type);
/* Refines one encoded row in place; x [cols]. Types without a refinement are left as they are. */
void qz_block_refine_row(const qz_refiner *by, qz_type type, const float *x, const float *importance, size_t cols,
                         void *row);
#endif
