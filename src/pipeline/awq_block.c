#include "pipeline/awq_block.h"
#include "base/size.h"
#include <stdio.h>
#include <string.h>

qz_status qz_awq_blocks_open(qz_awq_blocks *a, qz_run *run, const qz_model *m, const qz_stats *stats, const qz_windows *windows,
                             const qz_scheme_spec *spec, qz_search search, qz_error *err) {
    *a = (qz_awq_blocks){.run = run, .model = m, .stats = stats, .layer = -1};
    a->options.codes = qz_feedback_default;
    a->options.codes.bits = spec->bits;
    a->options.codes.group_size = spec->group_size;
    a->options.codes.sym = spec->sym;
    a->compat = search == QZ_SEARCH_COMPAT;
    QZ_TRY(qz_mm_open(run, &a->mm, err));
    if (!a->compat) return qz_stats_check(stats, m, err);
    if (windows == NULL) return qz_fail(err, QZ_EUSAGE, "--search compat replays the blocks: give the calibration data with --calib (statistics are not enough)");
    return qz_awq_player_open(&a->player, run, m, windows, err);
}

static qz_status float_copy(qz_awq_blocks *a, const qz_tensor_view *t, float **out, qz_error *err) {
    size_t n;
    *out = NULL;
    if (t == NULL) return QZ_OK;
    if (qz_mul_size(t->rows, t->cols, &n)) *out = qz_arena_alloc(&a->weights, n, sizeof(float));
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for '%s'", t->name);
    qz_tensor_decode(t, 0, t->rows, *out);
    return QZ_OK;
}

static void add_folded(qz_awq_blocks *a, const qz_tensor_view *t, const float *data) {
    if (t != NULL) a->folded[a->n_folded++] = (qz_folded){.name = t->name, .rows = t->rows, .cols = t->cols, .data = data};
}

static qz_status run_block(qz_awq_blocks *a, long layer, qz_error *err) {
    const qz_block *src = &a->model->blocks[layer];
    qz_arena_reset(&a->weights);
    qz_arena_reset(&a->results);
    a->layer = -1;
    a->n_folded = 0;
    a->block = (qz_awq_block){.config = &a->model->config};
    QZ_TRY(float_copy(a, src->attn_norm, &a->block.attn_norm, err));
    QZ_TRY(float_copy(a, src->ffn_norm, &a->block.ffn_norm, err));
    add_folded(a, src->attn_norm, a->block.attn_norm);
    add_folded(a, src->ffn_norm, a->block.ffn_norm);
    for (int l = 0; l < QZ_LIN_COUNT; l++) {
        QZ_TRY(float_copy(a, src->linear[l], &a->block.w[l], err));
        QZ_TRY(float_copy(a, src->bias[l], &a->block.bias[l], err));
        add_folded(a, src->bias[l], a->block.bias[l]);
        a->block.rows[l] = src->linear[l]->rows;
        a->block.cols[l] = src->linear[l]->cols;
    }
    qz_awq_report rep;
    if (a->compat) {
        QZ_TRY(qz_awq_player_layer(&a->player, (size_t)layer, err));
        QZ_TRY(qz_awq_compat_block(a->run, a->mm, &a->block, &a->player.replay, &a->options, &a->results, a->lin, &rep, err));
    } else {
        qz_input_stats stats[QZ_GROUP_COUNT];
        for (int g = 0; g < QZ_GROUP_COUNT; g++) stats[g] = qz_stats_get(a->stats, (size_t)layer, (qz_input_group)g);
        QZ_TRY(qz_awq_block_quantize(a->run, a->mm, &a->block, stats, &a->options, &a->results, a->lin, &rep, err));
    }
    for (int l = 0; l < QZ_LIN_COUNT; l++) {
        a->lin[l].name = src->linear[l]->name;
        a->final_error += a->lin[l].error;
    }
    for (int e = 0; e < QZ_AWQ_ENTRIES; e++) {
        a->plain += rep.plain[e];
        a->scaled += rep.scaled[e];
    }
    if (rep.damping > a->damping) a->damping = rep.damping;
    if (rep.damping > 0.0101) qz_warn(a->run, "layer %ld: statistics are nearly singular, damping raised to %g", layer, rep.damping);
    a->layer = layer;
    a->n_blocks++;
    return QZ_OK;
}

qz_status qz_awq_blocks_get(qz_awq_blocks *a, const qz_artifact_item *item, const qz_quantized **q, const qz_folded **f, qz_error *err) {
    *q = NULL;
    *f = NULL;
    if (a->layer != item->layer) QZ_TRY(run_block(a, item->layer, err));
    if (item->type == QZ_TYPE_INT_GROUP) {
        *q = &a->lin[item->linear];
        return QZ_OK;
    }
    for (size_t i = 0; i < a->n_folded; i++)
        if (strcmp(a->folded[i].name, item->name) == 0) *f = &a->folded[i];
    return QZ_OK;
}

void qz_awq_blocks_note(const qz_awq_blocks *a, char *out, size_t n) {
    if (a->compat) (void)snprintf(out, n, "compat: mean output loss at ratio 0 %.4g, at the chosen ratios %.4g", a->plain, a->scaled);
    else (void)snprintf(out, n, "output error: rounding %.4g, with scales %.4g, with scales and feedback codes %.4g", a->plain, a->scaled, a->final_error);
}

void qz_awq_blocks_release(qz_awq_blocks *a) {
    if (a->run == NULL) return;
    qz_mm_free(a->mm);
    qz_awq_player_release(&a->player);
    qz_arena_release(&a->weights);
    qz_arena_release(&a->results);
    *a = (qz_awq_blocks){0};
}
