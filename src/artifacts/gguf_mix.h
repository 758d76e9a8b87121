/* Which tensor gets which type under each llama-quantize file type: the reference's rules, for every file type, on what
 * each tensor is for (of a model that nobody here knows: on its name), dimensions and a few facts of the model. Types
 * are GGUF type numbers (formats/gguf_types.def); whether this program can encode a type is the caller's question.
 * qz_gguf_mix(&model, QZ_FTYPE_Q4_K_M, NULL, tensors, n, choices, err); the order of tensors does not matter.
 * Source: formats/gguf-mixes.md (llama.cpp 0c1e57098), checked cell by cell against the reference's own choices. */
#ifndef QZ_ARTIFACTS_GGUF_MIX_H
#define QZ_ARTIFACTS_GGUF_MIX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/status.h"
#include "model/kind_id.h"

typedef unsigned qz_ftype; /* a QZ_FTYPE_… of gguf_ftypes.h */

typedef struct { const char *name; uint32_t file_type, type; } qz_ftype_info;
const qz_ftype_info *qz_ftype_get(qz_ftype f);
/* llama-quantize's spellings in any case, with its aliases (Q4_K = Q4_K_M …) and numbers (15 =
 * Q4_K_M); QZ_FTYPE_COUNT if unknown. */
qz_ftype qz_ftype_by_name(const char *name);
qz_ftype qz_ftype_by_number(uint64_t file_type);
/* GGUF type of a tensor that no level codes (QZ_USE_KEPT): float32, but a matrix beside the blocks (layer < 0) has the
 * floats of the file where the file is one of floats, as the converter does. */
uint32_t qz_ftype_kept(qz_ftype f, long layer, size_t n_dims);

typedef struct {
    const char *name;     /* GGUF name */
    uint64_t ne[4];       /* fastest first, missing ones 1 */
    uint32_t source;      /* type it has now */
    qz_use use;           /* QZ_USE_UNKNOWN: by its name, as the reference does; the layer too */
    long layer;           /* -1 outside the blocks */
} qz_mix_tensor;

typedef struct {
    const char *arch;
    uint64_t layers, heads, kv_heads, experts;
    bool has_imatrix;
} qz_mix_model;

/* A type for the tensors whose GGUF name matches (tensor_types.h). */
typedef struct { const char *text, *pattern; uint32_t type; } qz_mix_rule;

typedef struct {
    bool pure;            /* the file type's default everywhere */
    bool keep_output;     /* --leave-output-tensor */
    bool keep_floats;     /* matrices of 16 or 32 bits stay so: conversions */
    int output_type, embedding_type; /* GGUF type numbers, -1 = by the rules */
    const qz_mix_rule *rules; size_t n_rules; /* the first that matches decides */
} qz_mix_options;

typedef struct {
    uint32_t type;        /* final */
    uint32_t wanted;      /* before the fallback for rows that do not divide by the block */
    bool quantizable;     /* false: kept with its source type whatever the file type */
    bool needs_imatrix;   /* the reference refuses this type without importance */
} qz_mix_choice;

/* choices [n]. options may be NULL. QZ_EUNSUPPORTED: no fallback type exists for a row; QZ_EFORMAT: expert tensor
 * without layer number. */
qz_status qz_gguf_mix(const qz_mix_model *m, qz_ftype ftype, const qz_mix_options *options,
                      const qz_mix_tensor *tensors, size_t n, qz_mix_choice *choices, qz_error *err);
/* The reference's order: layer number (none first), then name. <0, 0, >0. */
int qz_gguf_name_cmp(const char *a, const char *b);
#endif
