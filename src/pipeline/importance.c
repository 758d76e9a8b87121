#include "pipeline/importance.h"
#include "base/size.h"
#include "formats/imatrix.h"
#include <string.h>

qz_status qz_importance_open(const char *path, const qz_model *m, qz_arena *arena, qz_importance *imp, qz_produce_options *o, qz_error *err) {
    (void)m;
    if (path == NULL) return QZ_OK;
    qz_imatrix *im = qz_arena_calloc(arena, 1, sizeof *im);
    if (im == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    QZ_TRY(qz_imatrix_open(im, path, err));
    imp->imatrix = im;
    o->imatrix_file = path;
    o->imatrix_dataset = im->n_datasets ? im->datasets[0] : NULL;
    o->imatrix_entries = (uint32_t)im->n;
    o->imatrix_chunks = im->chunk_count;
    return QZ_OK;
}
void qz_importance_close(qz_importance *imp) {
    if (imp->imatrix) qz_imatrix_release(imp->imatrix);
    imp->imatrix = NULL;
}

static qz_status from_imatrix(qz_imatrix *im, const qz_artifact_item *item, qz_arena *arena, const float **out, qz_error *err) {
    if (qz_imatrix_find(im, item->out_name) == NULL) return QZ_OK; /* plain quantization, as the reference does */
    float *w = qz_arena_alloc(arena, item->cols, sizeof *w);
    if (w == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    *out = w;
    return qz_imatrix_weights(im, item->out_name, item->cols, w, err);
}

/* The output matrix has statistics of its own; a tied embedding is that matrix. */
qz_status qz_importance_get(const qz_importance *imp, const qz_artifact_item *item, qz_arena *arena, const float **out, qz_error *err) {
    *out = NULL;
    if (!item->importance_matters) return QZ_OK;
    if (imp->imatrix) return from_imatrix(imp->imatrix, item, arena, out, err);
    if (imp->stats == NULL) return QZ_OK;
    qz_input_stats in;
    if (item->linear >= 0 && item->layer >= 0) in = qz_stats_get(imp->stats, (size_t)item->layer, qz_group_of((qz_linear)item->linear));
    else if (strcmp(item->name, "lm_head.weight") == 0 || strcmp(item->name, "model.embed_tokens.weight") == 0)
        in = qz_stats_get(imp->stats, imp->stats->info.layers, QZ_GROUP_HEAD);
    else return QZ_OK;
    if (in.cols != item->cols) return qz_fail(err, QZ_EBUG, "importance of '%s': expected %zu columns, found %zu", item->name, item->cols, in.cols);
    float *w = qz_arena_alloc(arena, in.cols, sizeof *w);
    if (w == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_stats_importance(&in, w);
    *out = w;
    return QZ_OK;
}
