/* qz_model: a model as named tensors (const views) plus configuration, whatever file it came from. The engine,
 * calibration and writers see only this. model_open reads a Hugging Face checkpoint; artifact_open (artifacts/)
 * reads everything the program writes; both give a qz_model.
 * qz_model *m; qz_model_open(run, dir, &m, err); …; qz_model_free(m). Read-only after opening, shareable. */
#ifndef QZ_MODEL_MODEL_H
#define QZ_MODEL_MODEL_H
#include "base/arena.h"
#include "base/run.h"
#include "model/config.h"
#include "model/sites.h"
#include "model/tensor.h"

/* A site with the tensors that hold it. */
typedef struct {
    qz_site site;
    const qz_tensor_view *const *weight;             /* [max(1, site.experts)] */
    const qz_tensor_view *const *bias;               /* [max(1, site.experts)] of [1, rows]; NULL: none */
} qz_bound;

typedef struct {
    qz_bound *sites; size_t n_sites;                 /* what is stored, in the order of sites.h */
    const qz_tensor_view *norm[QZ_NORM_COUNT];       /* [1, hidden], q and k [1, head_dim] or of all heads;
                                                      * NULL where the family has none */
    const qz_tensor_view *norm_bias[QZ_NORM_COUNT];  /* as wide, or NULL */
    /* By number [out, in]; those of a fused site are views of its rows. NULL in the feed-forward of a block with
     * experts: there each number has one matrix per expert. */
    const qz_tensor_view *linear[QZ_LINEARS];
    const qz_tensor_view *bias[QZ_LINEARS];          /* [1, out] or NULL */
    const qz_tensor_view *router, *router_bias;      /* [experts, hidden], [1, experts]; NULL: dense, none */
    const qz_tensor_view *const *expert[QZ_LINEARS]; /* [experts] */
    const qz_tensor_view *const *expert_bias[QZ_LINEARS]; /* [experts] of [1, out] or NULL */
    const qz_tensor_view *part[QZ_PARTS];            /* float parts by number (kinds.h), NULL: none */
} qz_block;

/* A stored tensor that no part of the model claims (leftovers.h). */
/* CACHE: scales of an FP8 cache; MTP: predicts tokens beyond the next; OTHER: of a wrapper, for images or sound;
 * BORROWED: keys and values of a layer that reads those of an earlier one. */
typedef enum {
    QZ_LEFT_PART, QZ_LEFT_BUFFER, QZ_LEFT_CACHE, QZ_LEFT_TWIN, QZ_LEFT_ZEROS, QZ_LEFT_MTP, QZ_LEFT_OTHER,
    QZ_LEFT_BORROWED
} qz_left_kind;
typedef struct {
    const char *name, *file_name;                    /* as in qz_tensor_view */
    const char *file; uint64_t offset;
    const char *type; uint32_t n_dims;               /* as the container names it */
    qz_left_kind kind;
    const char *key;                                 /* of the configuration that would use it, or NULL */
    const char *twin;                                /* tensor (file_name) that holds the same
                                                      * site and is used, or NULL */
} qz_leftover;

typedef struct qz_model {
    qz_config config;
    const qz_tensor_view *embed, *final_norm, *head; /* head == embed when tied */
    const qz_tensor_view *positions;                 /* learned ones [position_rows, hidden], or NULL */
    const qz_tensor_view *token[QZ_TOKEN_SITES];     /* of inputs of tokens (sites.h), or NULL */
    const qz_tensor_view *final_bias, *head_bias;    /* of the final norm, of the output matrix, or NULL */
    bool head_untied;                                /* the configuration ties, and the stored head
                                                      * has other values: it is used */
    qz_block *blocks;                                /* [config.layers] */
    const struct qz_loose *loose;                    /* of a family that nothing here runs, known by names and
                                                      * shapes alone: no embedding, head, layers (artifacts/loose.h) */
    qz_tensor_view *tensors; size_t n_tensors;       /* all of them, in the order of the container */
    const char *expected_types;                      /* of the container's weights, for texts; NULL: the three floats */
    qz_leftover *left; size_t n_left;                /* stored, and none of `tensors` */
    size_t n_other_files; const char *other_file;    /* weight files of the folder that were not
                                                      * opened, the first of them */
    size_t n_no_module; const char *no_module;       /* entries of its lists of modules that stay float and
                                                      * that name none here, the first of them; NULL: none */
    const char **doubts; size_t n_doubts;            /* what the container says and its data
                                                      * contradict (qz_model_doubt) */
    const char *path;                                /* as given */
    const char *scheme;                              /* the kind of artifact as engines.def names it,
                                                      * NULL: a float checkpoint */
    const char *container;                           /* "safetensors", "gguf v3", "awq" … for texts */
    const char *encoding;                            /* "BF16", "Q4_K_M", "W4 g128 asym" */
    const char *contract;                            /* "W4A16 …": precision contract */
    uint64_t file_bytes;                             /* artifact files (weights + metadata) */
    qz_arena arena;                                  /* owns names, views, repacked codes */
    void *impl;                                      /* container state; freed by `close` */
    void (*close)(struct qz_model *m);
} qz_model;

/* A Hugging Face checkpoint directory: config.json, one or several safetensors files. A missing shard or tensor, a
 * wrong shape or dtype is found here, before any work. */
qz_status qz_model_open(qz_run *run, const char *dir, qz_model **out, qz_error *err);
void qz_model_free(qz_model *m);
/* The same tensors without data, from a configuration alone: for planning (names, shapes, types; data are NULL). */
qz_status qz_model_from_config(const qz_config *c, const char *name, qz_model **out, qz_error *err);

/* For every opener: finds each tensor of the family by HF name among m->tensors, checks shapes against the config and
 * fills embed, norms, head and blocks. What nothing claims goes from m->tensors to m->left (see qz_leftovers_judge). */
qz_status qz_model_bind(qz_model *m, qz_error *err);
/* The blocks from layer `first` on alone, of layers that stand behind a model (artifacts/gguf_nextn.h). */
qz_status qz_model_bind_blocks(qz_model *m, size_t first, qz_error *err);
/* Of the stored weights that run, tensor data alone: prediction heads and what nothing uses are in no count. */
double qz_model_bits_per_weight(const qz_model *m);
/* Linear of a block (expert -1), or of one of its experts; NULL: it has none of that number. */
const qz_tensor_view *qz_block_linear(const qz_block *b, size_t linear, long expert);
/* Any linear for what all of them have in common: the first of the model. */
const qz_tensor_view *qz_model_linear(const qz_model *m);
/* Heads of query or key in the tensor (weight or bias), whose rows positions rotate; 0: it is another one. */
size_t qz_model_rotary_heads(const qz_model *m, const char *name);
/* What a norm's stored values lack of the gains that they multiply with: 1 where the family stores them so; 0 of
 * other tensors. */
float qz_model_lacks(const qz_model *m, const char *name);
/* NULL if there is none. */
const qz_tensor_view *qz_model_find(const qz_model *m, const char *name);
/* Fails with QZ_ENONFINITE naming tensor and element if a float tensor holds NaN or inf. */
qz_status qz_model_check_finite(qz_run *run, const qz_model *m, qz_error *err);
#endif
