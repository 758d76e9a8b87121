#include "pipeline/awq_replay.h"
#include "base/size.h"
#include "codecs/types.h"
#include <string.h>

enum { CHUNK = 8 }; /* windows a step */

static void keep(void *arg, const qz_observed *o) { /* of a dense block: its inputs are the groups */
    qz_awq_player *p = arg;
    memcpy(p->x[o->input] + p->fill[o->input], o->x, o->n * o->cols * sizeof *o->x);
    p->fill[o->input] += o->n * o->cols;
}

static qz_layer_weights weights_of(const qz_awq_player *p, const qz_awq_block *b) {
    qz_layer_weights w = *qz_engine_layer(p->e, p->layer - 1);
    for (int l = 0; l < QZ_LIN_COUNT; l++)
        w.lin[l] = (qz_weights){.type = QZ_TYPE_F32, .rows = b->rows[l], .cols = b->cols[l], .data = b->w[l]};
    return w;
}
static qz_status attention(void *ctx, const qz_awq_block *b, float *y, qz_error *err) {
    qz_awq_player *p = ctx;
    qz_layer_weights w = weights_of(p, b);
    size_t h = b->config->hidden_size, seq = p->w->seq_len;
    for (size_t i = 0; i < p->w->n_windows; i += CHUNK) {
        size_t n = qz_min_size(CHUNK, p->w->n_windows - i), at = i * seq * h;
        QZ_TRY(qz_engine_attention(p->e, p->layer - 1, &w, p->x[QZ_GROUP_QKV] + at, n, seq, y + at, err));
    }
    return QZ_OK;
}
static qz_status mlp(void *ctx, const qz_awq_block *b, float *y, qz_error *err) {
    qz_awq_player *p = ctx;
    qz_layer_weights w = weights_of(p, b);
    size_t h = b->config->hidden_size, seq = p->w->seq_len;
    for (size_t i = 0; i < p->w->n_windows; i += CHUNK) {
        size_t n = qz_min_size(CHUNK, p->w->n_windows - i) * seq, at = i * seq * h;
        QZ_TRY(qz_engine_mlp(p->e, p->layer - 1, &w, p->x[QZ_GROUP_GATE_UP] + at, n, y + at, err));
    }
    return QZ_OK;
}

qz_status qz_awq_player_open(qz_awq_player *p, qz_run *run, const qz_model *m, const qz_windows *w, qz_error *err) {
    *p = (qz_awq_player){.w = w};
    const qz_config *c = &m->config;
    size_t tokens = w->n_windows * w->seq_len, n;
    const size_t cols[QZ_GROUP_COUNT] = {c->hidden_size, c->heads * c->head_dim, c->hidden_size, c->intermediate_size};
    QZ_TRY(qz_engine_open(run, m, NULL, &p->e, err));
    p->hidden = qz_mul_size(tokens, c->hidden_size, &n) ? qz_alloc_aligned(n, sizeof(float)) : NULL;
    bool ok = p->hidden != NULL;
    for (int g = 0; g < QZ_GROUP_COUNT; g++) {
        p->x[g] = qz_mul_size(tokens, cols[g], &n) ? qz_alloc_aligned(n, sizeof(float)) : NULL;
        ok = ok && p->x[g];
        p->replay.x[g] = p->x[g];
    }
    p->replay.tokens = tokens;
    p->replay.attention = attention;
    p->replay.mlp = mlp;
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
    for (int g = 0; g < QZ_GROUP_COUNT; g++) qz_free(p->x[g]);
    *p = (qz_awq_player){0};
}
