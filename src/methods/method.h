/* A method (methods.def): the model, statistics or tokens, settings of its codes, and the tensors of an artifact one
 * after the other in the order of its file go in; codes come back. Methods see no file layout, no artifact and no
 * engine: what they need of the scheme they ask their host for.
 * const qz_method *m = qz_method_named("gptq"); if (m->needs(&options) & ~have) …; m->ops->open(&job, &state, err); for
 * each tensor m->ops->next(state, &t, &mine, err) and, if it is this method's, m->ops->result(state, &r, err) while
 * r.more; m->ops->notes(state, &notes); m->ops->release(state).
 * Ownership: a job and everything in it outlives the state; results live until the next call. */
#ifndef QZ_METHODS_METHOD_H
#define QZ_METHODS_METHOD_H
#include "base/arena.h"
#include "base/run.h"
#include "calibrate/stats.h"
#include "calibrate/tokens.h"
#include "codecs/int_group.h"
#include "codecs/quantized.h"
#include "methods/block_search.h"
#include "model/model.h"

/* How codes are found: what of a recipe the methods read. */
typedef struct {
    qz_search search;
    bool propagate, sequential; /* quantized inputs; groups of a block one after the other */
    bool fold, asymmetric, residual, order, descent, refit, norms, sign, inputs, experts; /* best: parts that
                                                                                           * can be switched off */
    bool no_clip;               /* compat AWQ: no search of clipping bounds */
    bool strict;
    bool head;                  /* the output matrix is coded too */
    double damp;                /* 0: decided on held-out tokens, that flow or that statistics keep
                                 * (methods/damping.h); without any the method's */
    float mse_norm;             /* compat GPTQ: shrink search, 0 = off */
} qz_method_options;

/* A tensor of the artifact. */
typedef struct {
    const char *name;
    const qz_tensor_view *source;
    qz_type type;               /* that will be written: a float, a block type, or QZ_TYPE_CODED */
    size_t rows, cols;
    long layer, expert;         /* -1: outside the blocks; no expert's */
    int linear;                 /* its number in the block (of a fused matrix the first), -1: none */
    bool head;                  /* its products are the logits: the output matrix, or the embedding that is it too */
    bool whole;                 /* all rows at once: the writer puts them in another order */
    const void *item;           /* the host's own */
} qz_method_tensor;

/* What a method asks. */
typedef struct {
    const void *ctx;
    /* Integer codes of the linear with this name (or of its weight). */
    qz_status (*setting)(const void *ctx, const char *name, qz_code_setting *out, qz_error *err);
    /* Linear of a block (expert -1: of none) as the artifact will have it, of a fused matrix the first; false: it is a
     * part of that, or stays what the source has. */
    bool (*linear)(const void *ctx, long layer, size_t linear, long expert, qz_method_tensor *out);
    /* Importance of the tensor's columns, usable as it is, in the arena; NULL: none. */
    qz_status (*importance)(const void *ctx, const qz_method_tensor *t, qz_arena *arena, const float **out,
                            qz_error *err);
    /* The scheme's own rounding of the whole matrix: what it rounds (*w [rows, cols]) and the codes, in the arena. */
    qz_status (*round)(const void *ctx, const qz_method_tensor *t, qz_arena *arena, const float **w,
                       const qz_coded **out, qz_error *err);
} qz_method_host;

typedef struct {
    qz_run *run;
    const qz_model *model;
    const qz_stats *stats;      /* NULL: none */
    qz_tokens tokens;           /* ids NULL: none */
    const qz_method_options *options;
    const char *scheme;         /* for texts */
    qz_code_setting usual;       /* of modules without a rule of their own */
    qz_type floats;             /* as norms that are changed will be written */
    qz_method_host host;
} qz_method_job;

/* ---- what it gives ---- */
typedef struct {
    const qz_quantized *q;      /* codes: of all rows, or of the next ones */
    const qz_folded *f;         /* a float tensor that the method changed */
    bool more;                  /* rows are left: ask again */
    bool judged;                /* q's error and energy are of calibration data */
} qz_method_result;

typedef struct {
    char text[400];             /* summary of the search, "": nothing to say */
    size_t fallbacks;           /* tensors not coded as asked for */
    size_t uncorrected, norms_kept; /* linears and norms whose correction could not be computed */
} qz_method_notes;

/* What is to be coded, for the memory plan: weights of the largest block and matrix, windows of the calibration. */
typedef struct {
    const qz_config *config;
    uint64_t block, largest;
    size_t windows, seq_len;
} qz_method_sizes;
typedef struct {
    uint64_t held;              /* resident beside the mapped files */
    uint64_t pass;              /* and of its own pass over the tokens */
} qz_method_memory;

typedef struct {
    qz_status (*supports)(const qz_model *m, qz_error *err); /* QZ_EUNSUPPORTED before any work; NULL: any model */
    /* after an error release(*state) all the same */
    qz_status (*open)(const qz_method_job *job, void **state, qz_error *err);
    qz_status (*next)(void *state, const qz_method_tensor *t, bool *mine, qz_error *err);
    qz_status (*result)(void *state, qz_method_result *out, qz_error *err);
    void (*notes)(const void *state, qz_method_notes *out);  /* adds to it */
    void (*release)(void *state);                            /* NULL is fine */
    qz_method_memory (*memory)(const qz_method_options *o, const qz_method_sizes *s);
} qz_method_ops;

enum { QZ_NEEDS_NOTHING = 0, QZ_NEEDS_IMPORTANCE = 1, QZ_NEEDS_GRAM = 2, QZ_NEEDS_TOKENS = 4 };
typedef struct {
    const char *name;
    unsigned (*needs)(const qz_method_options *o); /* what it cannot do without */
    unsigned takes;             /* what it uses where it is there */
    const char *other;          /* codes what this one leaves, NULL: none */
    const qz_method_ops *ops;
    const char *what;
} qz_method;
/* By name, NULL: unknown; and row i, NULL behind the last. */
const qz_method *qz_method_named(const char *name);
const qz_method *qz_method_at(size_t i);
/* Bytes of solving under one input's matrix: Gram, factor, inverse, two float ones; asymmetric calibration on top. */
uint64_t qz_method_solver_bytes(const qz_config *c, bool asymmetric);
#endif
