#include "calibrate/replay.h"
#include "base/size.h"
#include "codecs/types.h"
#include "engine/engine.h"
#include <string.h>

struct qz_replay {
    qz_engine *e;
    qz_tokens t;
    qz_input_widths widths;
    size_t layer;                    /* next layer to run forward */
    float *hidden;                   /* [tokens, hidden] input of that layer */
    float *x[QZ_STAGES];             /* inputs of the last layer that was run */
    size_t fill[QZ_STAGES];          /* floats of x filled so far */
};

enum { CHUNK = 8 }; /* windows a step */

static void keep(void *arg, const qz_observed *o) { /* of a dense block: an input for each stage */
    qz_replay *p = arg;
    memcpy(p->x[o->input] + p->fill[o->input], o->x, o->n * o->cols * sizeof *o->x);
    p->fill[o->input] += o->n * o->cols;
}

qz_status qz_replay_module(qz_replay *p, const float *const w[QZ_LINEARS], size_t stage, float *y, qz_error *err) {
    const size_t h = qz_engine_model(p->e)->config.hidden_size, seq = p->t.seq_len, layer = p->layer - 1;
    const bool mixer = qz_stage_input(&p->widths, layer, stage).sub == QZ_SUB_MIXER;
    qz_layer_weights with = *qz_engine_layer(p->e, layer);
    for (size_t l = 0; l < QZ_LINEARS; l++)
        with.lin[l] = (qz_weights){.type = QZ_TYPE_F32, .rows = w[l] ? with.lin[l].rows : 0,
                                   .cols = w[l] ? with.lin[l].cols : 0, .data = w[l]};
    for (size_t i = 0; i < p->t.windows; i += CHUNK) {
        const size_t n = qz_min_size(CHUNK, p->t.windows - i), at = i * seq * h;
        const float *x = p->x[stage] + at;
        if (mixer) QZ_TRY(qz_engine_mixer(p->e, layer, &with, x, (qz_chunk){n, seq}, y + at, err));
        else QZ_TRY(qz_engine_ffn(p->e, layer, &with, x, n * seq, y + at, err));
    }
    return QZ_OK;
}

size_t qz_replay_tokens(const qz_replay *r) { return r->t.windows * r->t.seq_len; }
const float *qz_replay_input(const qz_replay *r, size_t stage) { return r->x[stage]; }

static bool reserve(qz_replay *p, const qz_config *c, size_t tokens) {
    size_t n;
    p->hidden = qz_mul_size(tokens, c->hidden_size, &n) ? qz_alloc_aligned(n, sizeof(float)) : NULL;
    bool ok = p->hidden != NULL;
    for (size_t i = 0; i < QZ_STAGES; i++) {
        size_t cols = 0;
        for (size_t l = 0; l < c->layers; l++) cols = qz_max_size(cols, qz_stage_input(&p->widths, l, i).cols);
        if (cols == 0) continue; /* no layer has so many */
        p->x[i] = qz_mul_size(tokens, cols, &n) ? qz_alloc_aligned(n, sizeof(float)) : NULL;
        ok = ok && p->x[i];
    }
    return ok;
}

qz_status qz_replay_open(qz_replay **out, qz_run *run, const qz_model *m, const qz_tokens *t, qz_error *err) {
    const size_t tokens = t->windows * t->seq_len;
    qz_replay *p = *out = qz_calloc_array(1, sizeof *p);
    if (p == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for replays");
    p->t = *t;
    qz_input_widths_of(&m->config, &p->widths);
    QZ_TRY(qz_engine_open(run, m, NULL, &p->e, err));
    if (!reserve(p, &m->config, tokens))
        return qz_fail(err, QZ_EMEMORY, "out of memory for replays of %zu tokens; use fewer --samples", tokens);
    return qz_engine_embed(p->e, t->ids, tokens, t->seq_len, p->hidden, err);
}

qz_status qz_replay_layer(qz_replay *p, size_t layer, qz_error *err) {
    size_t h = qz_engine_model(p->e)->config.hidden_size, seq = p->t.seq_len;
    qz_status st = QZ_OK;
    for (; p->layer <= layer && st == QZ_OK; p->layer++) {
        memset(p->fill, 0, sizeof p->fill);
        qz_engine_observe(p->e, keep, p);
        for (size_t i = 0; i < p->t.windows && st == QZ_OK; i += CHUNK)
            st = qz_engine_block(p->e, p->layer, NULL, p->hidden + i * seq * h, qz_min_size(CHUNK, p->t.windows - i),
                                 seq, err);
        qz_engine_observe(p->e, NULL, NULL);
    }
    return st;
}

void qz_replay_free(qz_replay *p) {
    if (p == NULL) return;
    qz_engine_free(p->e);
    qz_free(p->hidden);
    for (size_t i = 0; i < QZ_STAGES; i++) qz_free(p->x[i]);
    qz_free(p);
}
