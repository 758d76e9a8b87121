/* A LoRA adapter that was trained beside a float base, fitted to an artifact of that base: at the same ranks, from
 * second moments of the inputs, without training (checklist B-21).
 *   qz_adapter_fit f = {.run = run, .base = &base, .artifact = &artifact, .adapter = &a, .beside = lora};
 *   qz_adapter_fit_moments(&f, &windows, err); qz_adapter_fit_write(&f, folder, err); qz_adapter_fit_release(&f).
 * With W the base's matrix, Q the artifact's (scales that its method moved taken out), s·B·A the adapter's and H the
 * moments of what the linear reads in base and adapter, each pair becomes the best of its rank for W + s·B·A − Q under
 * H (methods/low_rank_fit.h). Pairs of no block's linear, or of one that the artifact has as it was, stay as they are.
 * The folder is PEFT's: every other file byte for byte, the same names, fitted pairs in float32, and a manifest.
 * Errors: QZ_EUNSUPPORTED for adapters that are no folder; those of engine and files. */
#ifndef QZ_PRODUCE_ADAPTER_FIT_H
#define QZ_PRODUCE_ADAPTER_FIT_H
#include "artifacts/adapter_bind.h"
#include "artifacts/diff.h"
#include "text/dataset.h"

typedef struct {
    float *left, *right;   /* [rows, rank], [rank, cols] without the file's scale; NULL: as it was */
    double energy;         /* E‖(W + s·B·A) x‖² */
    double lost;           /* E‖(W − Q) x‖²: what the artifact's linear misses with the adapter as it is */
    double left_over;      /* the same with the fitted pair */
} qz_fitted_part;

typedef struct {
    qz_run *run;
    qz_source *base, *artifact; /* hashed for the manifest */
    const qz_adapter *adapter;
    const qz_lora *beside;      /* the adapter beside the base */
    /* found */
    qz_fitted_part *parts;      /* [adapter->n] */
    size_t fitted, kept;        /* pairs */
    double energy, lost, left_over; /* sums over the fitted pairs */
    qz_diff_folds folds;
    qz_arena arena;
} qz_adapter_fit;

qz_status qz_adapter_fit_moments(qz_adapter_fit *f, const qz_windows *w, qz_error *err);
/* path: a temporary name, the folder is made. data_sha: of the data behind the windows, for the manifest. */
qz_status qz_adapter_fit_write(const qz_adapter_fit *f, const char *path, const char *data_sha, qz_error *err);
void qz_adapter_fit_release(qz_adapter_fit *f);
#endif
