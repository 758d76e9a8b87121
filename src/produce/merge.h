/* LoRA adapters merged into the checkpoint that they were trained on: W + s·B·A in float32, adapters one after the
 * other, one rounding to the type of the stored tensor; every other tensor and file byte for byte.
 *   qz_merge m = {.run = run, .r = r, .out = out}; qz_merge_find(&m, err); qz_merge_write(&m, err);
 *   qz_merge_release(&m).
 * Works on names and shapes of the stored tensors: any family. An output matrix that is tied to the embedding becomes
 * one of its own where an adapter is of one of the two, so that the merged model is what base and adapter compute.
 * The output is claimed by the caller. Errors, before anything is written: QZ_EFORMAT and QZ_EUNSUPPORTED naming the
 * tensor that the base has not, of another shape, or not as floats. */
#ifndef QZ_PRODUCE_MERGE_H
#define QZ_PRODUCE_MERGE_H
#include "artifacts/adapter.h"
#include "artifacts/source.h"
#include "produce/request.h"

/* What one adapter does to a tensor. */
typedef struct { size_t adapter; const qz_adapter_part *part; bool turned; } qz_merge_hit;
typedef struct {
    const qz_st *file;
    const qz_st_tensor *t;         /* as stored; of a head that is untied, the embedding */
    const char *name;              /* as it will be */
    qz_merge_hit *hits; size_t n;  /* 0: it stays */
    bool added;
} qz_merge_tensor;

typedef struct {
    qz_run *run;
    const qz_request *r;           /* operands: the base, then adapters */
    const char *out;
    qz_st_dir dir;                 /* the base's weights */
    qz_adapter *adapters; size_t n_adapters;
    qz_merge_tensor *t; size_t n;
    json_t *config;                /* as it will be, NULL: it stays */
    /* written */
    size_t exact, merged, replaced, added, files;
    uint64_t values, values_changed, bytes; /* of merged tensors; that are others after the rounding */
    char base_sha[65];             /* of the base's tensors, "": of a family that nothing here opens */
    const char *opens;             /* NULL, or why the merged folder does not open as a model */
    struct qz_mm *mm;
    char *partial;
    qz_arena arena;
} qz_merge;

qz_status qz_merge_find(qz_merge *m, qz_error *err);
qz_status qz_merge_write(qz_merge *m, qz_error *err);
void qz_merge_release(qz_merge *m);
#endif
