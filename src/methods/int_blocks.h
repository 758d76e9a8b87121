/* Integer group codes (AWQ and GPTQ artifacts) a decoder block at a time, as the writer asks for its tensors: float weights of
 * one block are resident, the results live until the next block is asked for.
 * AWQ compat replays blocks as the reference's scale search does. Everything else goes: scales folded (AWQ's idea; best
 * only), then the inputs of a block (model/sites.h) in order, each linear by methods/gptq.h under the Gram matrix of
 * its input: of the float model (--propagate original) or of the model quantized so far (--propagate quantized, then also
 * asymmetric calibration in best).
 * Of a layer with experts the mixer goes so, then stage by stage each expert's linears under the Gram matrix of its own
 * tokens; one that no token reached is rounded to nearest. Scales fold inside an expert; the norm that all experts and
 * the router read stays as it is, and experts have no asymmetric correction (the float model sends other tokens to
 * them). */
#ifndef QZ_METHODS_INT_BLOCKS_H
#define QZ_METHODS_INT_BLOCKS_H
#include "calibrate/propagate.h"
#include "calibrate/replay.h"
#include "methods/awq_compat.h"
#include "methods/gptq.h"
#include "methods/method.h"

/* Linears that are coded together: those of a block itself, or of one expert. */
typedef struct {
    long expert;                         /* -1: the block itself */
    qz_awq_block block;
    qz_int_setting setting[QZ_STAGES];   /* the linears of an input agree */
    float *scales[QZ_STAGES];            /* of the input's columns */
    const char *name[QZ_LINEARS];        /* of the tensors */
    qz_quantized lin[QZ_LINEARS];
} qz_int_unit;

typedef struct {
    qz_method_job job;
    qz_run *run;
    const qz_model *model;
    const qz_stats *stats;               /* NULL: none (compat) */
    qz_mm *mm;
    qz_method_options o;
    qz_awq_options awq;
    qz_gptq_options gptq;
    qz_replay *replay;                   /* AWQ's own search; else NULL */
    qz_propagate *flow;
    long layer;                          /* whose results are held, -1: none */
    qz_arena weights, results;
    qz_int_unit self, *experts;          /* experts [config.experts], NULL: the layer has none */
    bool folded_any;
    qz_quantized head;
    qz_folded folded[QZ_STAGES + QZ_LINEARS]; /* norms, then biases */
    size_t n_folded, n_blocks, n_fallbacks;
    size_t n_uncorrected, n_norms_kept;  /* linears without asymmetric correction, norms whose gains stayed: not computable */
    size_t n_unseen, n_shared;           /* experts that no token reached; norms left as they are because a router reads them too */
    double plain, scaled, final_error, damping, alpha;
    double fold_energy, final_energy;    /* what plain and scaled, and final_error, are shares of */
    size_t n_alpha, n_damped;
    double least_damp, most_damp;        /* of the n_damped inputs where it was decided */
} qz_int_blocks;

/* QZ_EUNSUPPORTED: a model whose blocks AWQ's own search cannot replay; known before any work. */
qz_status qz_int_replayable(const qz_model *m, qz_error *err);
/* replay: AWQ's own search, which runs blocks again (dense ones: QZ_EUNSUPPORTED). */
qz_status qz_int_blocks_open(qz_int_blocks *a, const qz_method_job *job, bool replay, qz_error *err);
/* Codes of a linear (*q) or a float tensor that folding changed (*f); both NULL: the tensor is kept as it is. */
qz_status qz_int_blocks_get(qz_int_blocks *a, const qz_method_tensor *t, const qz_quantized **q, const qz_folded **f, qz_error *err);
/* One line about what was done. */
void qz_int_blocks_note(const qz_int_blocks *a, char *out, size_t n);
void qz_int_blocks_release(qz_int_blocks *a);
#endif
