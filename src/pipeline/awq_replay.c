#include "pipeline/awq_replay.h"
#include "base/size.h"
#include "codecs/types.h"
#include <string.h>

enum { CHUNK = 8 }; /* windows a step */

static void keep(void *arg, const qz_observed *o) { /* of a dense block: an input for each stage */
    qz_awq_player *p = arg;
    memcpy(p->x[o->input] + p->fill[o->input], o->x, o->n * o->cols * sizeof *o->x);
    p->fill[o->input] += o->n * o->cols;
}

static qz_layer_weights weights_of(const qz_awq_player *p, const qz_awq_block *b) {
    qz_layer_weights w = *qz_engine_layer(p->e, p->layer - 1);
    for (size_t l = 0; l < QZ_LINEARS; l++)
        w.lin[l] = (qz_weights){.type = QZ_TYPE_F32, .rows = b->linear[l].rows, .cols = b->linear[l].cols,
                                .data = b->linear[l].w};
    return w;
}
static qz_status module(void *ctx, const qz_awq_block *b, size_t input, float *y, qz_error *err) {
    qz_awq_player *p = ctx;
    const qz_layer_weights w = weights_of(p, b);
    const size_t h = p->replay.hidden, seq = p->w->seq_len, layer = p->layer - 1;
    const bool mixer = qz_stage_input(&p->widths, layer, input).sub == QZ_SUB_MIXER;
    for (size_t i = 0; i < p->w->n_windows; i += CHUNK) {
        size_t n = qz_min_size(CHUNK, p->w->n_windows - i), at = i * seq * h;
        const float *x = p->x[input] + at;
        if (mixer) QZ_TRY(qz_engine_mixer(p->e, layer, &w, x, n, seq, y + at, err));
        else QZ_TRY(qz_engine_ffn(p->e, layer, &w, x, n * seq, y + at, err));
    }
    return QZ_OK;
}

qz_status qz_awq_player_open(qz_awq_player *p, qz_run *run, const qz_model *m, const qz_windows *w, qz_error *err) {
    *p = (qz_awq_player){.w = w};
    qz_input_widths_of(&m->config, &p->widths);
    const qz_config *c = &m->config;
    size_t tokens = w->n_windows * w->seq_len, n;
    QZ_TRY(qz_engine_open(run, m, NULL, &p->e, err));
    p->hidden = qz_mul_size(tokens, c->hidden_size, &n) ? qz_alloc_aligned(n, sizeof(float)) : NULL;
    bool ok = p->hidden != NULL;
    for (size_t i = 0; i < QZ_STAGES; i++) {
        size_t cols = 0;
        for (size_t l = 0; l < c->layers; l++) cols = qz_max_size(cols, qz_stage_input(&p->widths, l, i).cols);
        if (cols == 0) continue; /* no layer has so many */
        p->x[i] = qz_mul_size(tokens, cols, &n) ? qz_alloc_aligned(n, sizeof(float)) : NULL;
        ok = ok && p->x[i];
        p->replay.x[i] = p->x[i];
    }
    p->replay.tokens = tokens;
    p->replay.hidden = (size_t)c->hidden_size;
    p->replay.module = module;
    p->replay.ctx = p;
    qz_status st = ok ? qz_engine_embed(p->e, w->ids, tokens, p->hidden, err) : qz_fail(err, QZ_EMEMORY, "out of memory for replays of %zu tokens; use fewer --samples", tokens);
    if (st != QZ_OK) qz_awq_player_release(p);
    return st;
}

qz_status qz_awq_player_layer(qz_awq_player *p, size_t layer, qz_error *err) {
    size_t h = qz_engine_model(p->e)->config.hidden_size, seq = p->w->seq_len;
    qz_status st = QZ_OK;
    for (; p->layer <= layer && st == QZ_OK; p->layer++) {
        memset(p->fill, 0, sizeof p->fill);
        qz_engine_observe(p->e, keep, p);
        for (size_t i = 0; i < p->w->n_windows && st == QZ_OK; i += CHUNK)
            st = qz_engine_block(p->e, p->layer, NULL, p->hidden + i * seq * h, qz_min_size(CHUNK, p->w->n_windows - i), seq, err);
        qz_engine_observe(p->e, NULL, NULL);
    }
    return st;
}

void qz_awq_player_release(qz_awq_player *p) {
    qz_engine_free(p->e);
    qz_free(p->hidden);
    for (size_t i = 0; i < QZ_STAGES; i++) qz_free(p->x[i]);
    *p = (qz_awq_player){0};
}
