/* Runs AWQ a block at a time as the writer asks for its tensors: float weights of one block are resident, the results live
 * until the next block is asked for. */
#ifndef QZ_PIPELINE_AWQ_BLOCK_H
#define QZ_PIPELINE_AWQ_BLOCK_H
#include "artifacts/artifact.h"
#include "calibrate/stats.h"
#include "methods/awq.h"
#include "methods/block_search.h"
#include "pipeline/awq_replay.h"

typedef struct {
    qz_run *run;
    const qz_model *model;
    const qz_stats *stats;
    qz_mm *mm;
    qz_awq_options options;
    bool compat;
    qz_awq_player player;                /* compat only */
    long layer;                          /* whose results are held, -1: none */
    qz_arena weights, results;
    qz_awq_block block;
    qz_quantized lin[QZ_LIN_COUNT];
    qz_folded folded[2 + QZ_LIN_COUNT];  /* norms, then biases */
    size_t n_folded, n_blocks;
    double plain, scaled, final_error, damping;
} qz_awq_blocks;

/* windows: the calibration tokens, for compat (NULL otherwise). */
qz_status qz_awq_blocks_open(qz_awq_blocks *a, qz_run *run, const qz_model *m, const qz_stats *stats, const qz_windows *windows,
                             const qz_scheme_spec *spec, qz_search search, qz_error *err);
/* Codes of a linear (*q) or a float tensor that folding changed (*f); both NULL: the tensor is kept as it is. */
qz_status qz_awq_blocks_get(qz_awq_blocks *a, const qz_artifact_item *item, const qz_quantized **q, const qz_folded **f, qz_error *err);
void qz_awq_blocks_note(const qz_awq_blocks *a, char *out, size_t n);
void qz_awq_blocks_release(qz_awq_blocks *a);
#endif
