/* What a method is given and what it gives: the model, statistics or tokens, settings of its codes, and the tensors of an artifact
 * one after the other in the order of its file; codes come back. Methods see no file layout, no artifact and no engine: what they
 * need of the scheme they ask their host for.
 * Ownership: a job and everything in it outlives the method's state; results live until the next tensor is asked for. */
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
    bool fold, asymmetric, residual, order, descent, refit, norms, sign; /* best: parts that can be switched off */
    bool strict;
    bool head;                  /* the output matrix is coded too */
    double damp;                /* 0: decided on held-out tokens, that flow or that statistics keep (methods/damping.h); without any the method's */
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
    bool whole;                 /* all rows at once: the writer puts them in another order */
    const void *item;           /* the host's own */
} qz_method_tensor;

/* What a method asks. */
typedef struct {
    const void *ctx;
    /* Integer codes of the linear with this name (or of its weight). */
    qz_status (*setting)(const void *ctx, const char *name, qz_int_setting *out, qz_error *err);
    /* Importance of the tensor's columns, usable as it is, in the arena; NULL: none. */
    qz_status (*importance)(const void *ctx, const qz_method_tensor *t, qz_arena *arena, const float **out, qz_error *err);
    /* The scheme's own rounding of the whole matrix: what it rounds (*w [rows, cols]) and the codes, in the arena. */
    qz_status (*round)(const void *ctx, const qz_method_tensor *t, qz_arena *arena, const float **w, const qz_coded **out, qz_error *err);
} qz_method_host;

typedef struct {
    qz_run *run;
    const qz_model *model;
    const qz_stats *stats;      /* NULL: none */
    qz_tokens tokens;           /* ids NULL: none */
    const qz_method_options *options;
    const char *scheme;         /* for texts */
    qz_int_setting usual;       /* of modules without a rule of their own */
    qz_method_host host;
} qz_method_job;
#endif
