/* qz_model: a model as named tensors (const views) plus configuration, whatever file it came from. The engine,
 * calibration and writers see only this. model_open reads a Hugging Face checkpoint; artifact_open (artifacts/)
 * reads everything the program writes; both give a qz_model.
 * qz_model *m; qz_model_open(run, dir, &m, err); …; qz_model_free(m). Read-only after opening, shareable. */
#ifndef QZ_MODEL_MODEL_H
#define QZ_MODEL_MODEL_H
#include "base/arena.h"
#include "base/run.h"
#include "model/config.h"
#include "model/tensor.h"

/* The seven linears of a dense decoder block in the order of calibration and of the writers. */
typedef enum { QZ_LIN_Q, QZ_LIN_K, QZ_LIN_V, QZ_LIN_O, QZ_LIN_GATE, QZ_LIN_UP, QZ_LIN_DOWN, QZ_LIN_COUNT } qz_linear;

typedef struct {
    const qz_tensor_view *attn_norm, *ffn_norm;      /* [1, hidden] */
    const qz_tensor_view *q_norm, *k_norm;           /* [1, head_dim] or NULL */
    const qz_tensor_view *linear[QZ_LIN_COUNT];      /* [out, in] */
    const qz_tensor_view *bias[QZ_LIN_COUNT];        /* [1, out] or NULL */
} qz_block;

/* A stored tensor that no part of the model claims (leftovers.h). */
typedef enum { QZ_LEFT_PART, QZ_LEFT_BUFFER, QZ_LEFT_TWIN, QZ_LEFT_ZEROS } qz_left_kind;
typedef struct {
    const char *name, *file_name;                    /* as in qz_tensor_view */
    const char *file; uint64_t offset;
    const char *type; uint32_t n_dims;               /* as the container names it */
    qz_left_kind kind;
    const char *key;                                 /* of the configuration that would use it, or NULL */
} qz_leftover;

typedef struct qz_model {
    qz_config config;
    const qz_tensor_view *embed, *final_norm, *head; /* head == embed when tied */
    bool head_untied;                                /* the configuration ties, and the stored head has other values: it is used */
    qz_block *blocks;                                /* [config.layers] */
    qz_tensor_view *tensors; size_t n_tensors;       /* all of them, in the order of the container */
    const char *expected_types;                      /* of the container's weights, for texts; NULL: the three floats */
    qz_leftover *left; size_t n_left;                /* stored, and none of `tensors` */
    size_t n_other_files; const char *other_file;    /* weight files of the folder that were not opened, the first of them */
    const char **doubts; size_t n_doubts;            /* what the container says and its data contradict (qz_model_doubt) */
    const char *path;                                /* as given */
    const char *scheme;                              /* name in schemes.def that the file is an artifact of, NULL: a float checkpoint */
    const char *container;                           /* "safetensors", "gguf v3", "awq" … for texts */
    const char *encoding;                            /* "BF16", "Q4_K_M", "W4 g128 asym" */
    const char *contract;                            /* "W4A16 …": precision contract */
    uint64_t file_bytes;                             /* artifact files (weights + metadata) */
    qz_arena arena;                                  /* owns names, views, repacked codes */
    void *impl;                                      /* container state; freed by `close` */
    void (*close)(struct qz_model *m);
} qz_model;

/* A Hugging Face checkpoint directory: config.json, one or several safetensors files. A missing shard or tensor, a wrong
 * shape or dtype is found here, before any work. */
qz_status qz_model_open(qz_run *run, const char *dir, qz_model **out, qz_error *err);
void qz_model_free(qz_model *m);
/* The same tensors without data, from a configuration alone: for planning (names, shapes, types; data are NULL). */
qz_status qz_model_from_config(const qz_config *c, const char *name, qz_model **out, qz_error *err);

/* For every opener: finds each tensor of the family by HF name among m->tensors, checks shapes against the config and
 * fills embed, norms, head and blocks. What nothing claims goes from m->tensors to m->left (see qz_leftovers_judge). */
qz_status qz_model_bind(qz_model *m, qz_error *err);
/* NULL if there is none. */
const qz_tensor_view *qz_model_find(const qz_model *m, const char *name);
/* Names of a linear inside its block: "self_attn.q_proj" …, and the whole "model.layers.3.self_attn.q_proj.weight". */
const char *qz_linear_name(qz_linear l);
char *qz_linear_tensor_name(qz_arena *a, size_t layer, qz_linear l, const char *suffix);
/* Fails with QZ_ENONFINITE naming tensor and element if a float tensor holds NaN or inf. */
qz_status qz_model_check_finite(qz_run *run, const qz_model *m, qz_error *err);
#endif
