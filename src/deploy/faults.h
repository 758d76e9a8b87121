/* What is wrong with a published FP8 or NVFP4 folder (compressed-tensors, ModelOpt, fp8), and every stored tensor as it
 * is when that is mended: most of them as they stand, byte for byte. Works on names, scales and settings of the files,
 * so that any family and any mixture of schemes is served. `check` says the faults, produce/repair.h writes.
 *   qz_mending m; qz_faults_find(run, dir, measure, &m, err); m.faults[0..n_faults);
 *   qz_mend_without_data(&m, err), or qz_mend_input and qz_mend_cache for what m.missing and m.cache name;
 *   qz_mended_bytes for each of m.t[0..n); qz_mending_release(&m).
 * Ownership: all in m. Errors: those of the containers and of JSON.
 * Source: formats/hf-fp4.md section 3, hf-fp8.md sections 1 and 3, kv-cache.md sections 1 to 3. */
#ifndef QZ_DEPLOY_FAULTS_H
#define QZ_DEPLOY_FAULTS_H
#include <jansson.h>
#include "base/arena.h"
#include "base/run.h"
#include "codecs/scaled_float.h"
#include "formats/safetensors.h"

typedef enum {
#define QZ_FAULT(id, ...) QZ_FAULT_##id,
#include "deploy/faults.def"
    QZ_FAULT_KINDS
} qz_fault_kind;
typedef struct { const char *code, *word, *title; } qz_fault_info;
const qz_fault_info *qz_fault_info_of(qz_fault_kind k);

/* One fault: of a set of merged layers, or of all tensors alike. */
typedef struct {
    qz_fault_kind kind;
    const char *subject;          /* the first tensor or module */
    size_t n;                     /* tensors or modules that have it */
    double cost, left;            /* error of the weights, relative to their size (rms): as servers read them, and
                                   * mended; -1: not of weights, or not measured */
    const char *problem, *mend;
} qz_fault;

/* Codes under another scale of the tensor: scales of blocks and codes that are nearest to the decoded values. */
typedef struct {
    const qz_st_tensor *codes, *scales; /* scales NULL: FP8 under one scale */
    qz_scale_type stored;               /* E4M3, E4M3_TIMES; F32: FP8 */
    float from, to;                     /* as stored */
} qz_recoding;

typedef struct {
    const qz_st *file;            /* in which it stands, or goes */
    const qz_st_tensor *t;        /* as stored; NULL: it is added */
    qz_st_item item;              /* as it will be */
    bool out;                     /* it is left out */
    const uint8_t *data;          /* NULL: t's own bytes, or coded again */
    const qz_recoding *again;
} qz_mended;

enum { QZ_MEND_CT = 1, QZ_MEND_MODELOPT = 2, QZ_MEND_FP8 = 4 };
/* A module whose settings want a fixed scale of inputs that the file lacks. */
typedef struct { const char *module; const qz_mended *codes; json_t *group; } qz_missing_input;

typedef struct {
    const char *path;
    unsigned method;              /* QZ_MEND_…, 0: a folder in which nothing is looked for */
    qz_st_dir dir;
    json_t *config, *twin;        /* config.json and hf_quant_config.json or NULL: as they will be */
    json_t *q, *other;            /* what describes the quantization in either, borrowed */
    bool config_changed, twin_changed;
    qz_mended *t; size_t n, room;
    qz_mended **by_name; size_t n_named;
    qz_fault *faults; size_t n_faults;
    qz_missing_input *missing; size_t n_missing;
    const char **cache; size_t n_cache; /* attention modules whose cache scales are missing or were never measured */
    qz_arena arena;
} qz_mending;

/* measure: the errors of the weights, which decodes the faulty ones. A folder of another format has no faults. */
qz_status qz_faults_find(qz_run *run, const char *path, bool measure, qz_mending *m, qz_error *err);
void qz_mending_release(qz_mending *m);
/* Settings that need no data instead of what is missing: inputs rounded at run time, or not at all; a cache without
 * scales. QZ_EUNSUPPORTED: the format has no such settings. */
qz_status qz_mend_without_data(qz_mending *m, qz_error *err);
/* Adds the scale of m->missing[i]'s inputs, amax their largest magnitude. */
qz_status qz_mend_input(qz_mending *m, size_t i, float amax, qz_error *err);
/* Sets the scales of m->cache[i]: largest keys and values [heads]; a file with one scale a layer takes the largest. */
qz_status qz_mend_cache(qz_mending *m, size_t i, const float *k, const float *v, size_t heads, qz_error *err);
/* Bytes of m->t[i] as it will be; in the arena where they are not stored so. */
qz_status qz_mended_bytes(qz_run *run, const qz_mending *m, size_t i, qz_arena *arena, const uint8_t **bytes,
                          uint64_t *n, qz_error *err);
#endif
