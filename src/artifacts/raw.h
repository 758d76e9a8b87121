/* Any well-formed container as it stands: tensors, types, sizes and metadata of models that this program cannot run, of
 * models that lack a part, of vocabularies alone, of single safetensors files.  qz_raw r; if (qz_raw_applies(path,
 * &why)) qz_raw_open(path, &r, err); …; qz_raw_release(&r).
 * Ownership: everything lives in r (mappings included). Errors: those of the container's reader. */
#ifndef QZ_ARTIFACTS_RAW_H
#define QZ_ARTIFACTS_RAW_H
#include "base/arena.h"
#include "base/str.h"
#include "codecs/type_id.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"

typedef struct {
    const char *name, *type, *file;
    uint32_t n_dims;
    uint64_t dims[QZ_ST_MAX_DIMS];    /* slowest first */
    uint64_t elems, bytes, offset;
    const void *data;
    qz_type decodes;                  /* a float or block type whose rows can be decoded, or QZ_TYPE_NONE */
} qz_raw_tensor;

typedef struct { const char *key, *value; bool quoted; } qz_raw_meta; /* value in JSON, without the quotes of a text */

typedef struct {
    const char *container;            /* "gguf v3", "safetensors" */
    const char *architecture;         /* or "" */
    const char *kind;                 /* what it is instead of a model: an adapter, a projector …; NULL: not known */
    qz_raw_tensor *tensors; size_t n;
    qz_raw_meta *meta; size_t n_meta;
    uint64_t elems, tensor_bytes, file_bytes;
    uint64_t kv_bytes;                /* of a token at 16 bits, by the GGUF keys; 0 = they do not say */
    qz_gguf gguf;
    qz_st_dir dir;
    qz_st file;
    qz_arena arena;
} qz_raw;

/* True if `why` (of qz_artifact_open or qz_source_open) is about the model and no file is damaged: the container can
 * still be shown. */
bool qz_raw_applies(const char *path, const qz_error *why);
/* The narrower question: the model was never one of ours, so that `why` is no fault of it. Settings of a quantization
 * that are refused in a folder of a family that runs are a fault. */
bool qz_raw_foreign(const char *path, const qz_error *why);
qz_status qz_raw_open(const char *path, qz_raw *r, qz_error *err);
void qz_raw_release(qz_raw *r);
/* Fails with what is wrong: of `why` (status st) and what the container's own reader said, the one that
 * names the fault. */
qz_status qz_raw_refuse(const qz_error *why, const qz_error *container, qz_status st, qz_error *err);
/* Why it does not run: `why`, or that there are no tensors at all. */
const char *qz_raw_reason(const qz_raw *r, const qz_error *why);
/* "193 q4_K, 65 f32" in the order of first appearance. */
void qz_raw_types(const qz_raw *r, qz_str *out);
/* "[4096, 32]" */
const char *qz_raw_shape(const qz_raw_tensor *t, char buf[64]);
/* The first value that no writer makes among the tensors that decode (floats, blocks, FP8 codes, power-of-two scales):
 * one that is not finite, or a scale of codes that is not above 0. tensor: r->n if there is none; read counts the
 * tensors. */
typedef struct { size_t tensor, read; uint64_t element; const char *what; } qz_raw_fault;
qz_status qz_raw_values(const qz_raw *r, qz_raw_fault *out, qz_error *err);
#endif
