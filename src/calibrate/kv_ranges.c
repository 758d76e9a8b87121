#include "calibrate/kv_ranges.h"
#include "base/size.h"
#include "engine/engine.h"
#include <string.h>

enum { STEP_TOKENS = 512 }; /* of the windows of one forward: the cache of a large model stays small */

typedef struct {
    qz_run *run;
    qz_engine *e;
    qz_kv *kv;
    const qz_tokens *t;
    size_t windows;          /* of a step */
    uint32_t *seq;           /* [windows * seq_len] */
    uint8_t *want;           /* all 0: no logits */
} measuring;

static qz_status open_step(measuring *m, const qz_model *model, qz_error *err) {
    const qz_engine_options o = {.arith = QZ_ARITH_EXACT};
    m->windows = qz_max_size(1, qz_min_size(m->t->windows, STEP_TOKENS / qz_max_size(1, m->t->seq_len)));
    QZ_TRY(qz_engine_open(m->run, model, &o, &m->e, err));
    QZ_TRY(qz_kv_open(m->e, m->windows, m->t->seq_len, &m->kv, err));
    m->seq = qz_alloc_array(m->windows * m->t->seq_len, sizeof *m->seq);
    m->want = qz_calloc_array(m->windows * m->t->seq_len, 1);
    if (!m->seq || !m->want) return qz_fail(err, QZ_EMEMORY, "out of memory for the ranges of keys and values");
    for (size_t i = 0; i < m->windows * m->t->seq_len; i++) m->seq[i] = (uint32_t)(i / m->t->seq_len);
    return QZ_OK;
}

static qz_status step(measuring *m, size_t first, qz_kv_ranges *r, float *k, float *v, qz_error *err) {
    const size_t n = qz_min_size(m->windows, m->t->windows - first);
    for (size_t s = 0; s < n; s++) qz_kv_reset(m->kv, s);
    const qz_batch b = {m->t->ids + first * m->t->seq_len, m->seq, m->want, n * m->t->seq_len};
    QZ_TRY(qz_engine_forward(m->e, m->kv, &b, NULL, err));
    for (size_t l = 0; l < r->layers; l++)
        for (size_t s = 0; s < n; s++) qz_kv_largest(m->kv, l, s, k + l * r->heads, v + l * r->heads);
    return QZ_OK;
}

qz_status qz_kv_ranges_measure(qz_run *run, const qz_model *model, const qz_tokens *t, qz_arena *arena,
                               qz_kv_ranges *out, qz_error *err) {
    measuring m = {.run = run, .t = t};
    *out = (qz_kv_ranges){.layers = (size_t)model->config.layers, 
                          .heads = qz_max_size((size_t)model->config.kv_heads, (size_t)model->config.wide.kv_heads)};
    float *k = qz_arena_calloc(arena, out->layers * out->heads, sizeof *k),
          *v = qz_arena_calloc(arena, out->layers * out->heads, sizeof *v);
    qz_status st = k && v ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for the ranges of keys and values");
    if (st == QZ_OK) st = open_step(&m, model, err);
    qz_progress_begin(run);
    for (size_t i = 0; i < t->windows && st == QZ_OK; i += m.windows) {
        st = step(&m, i, out, k, v, err);
        qz_progress_at(run, &(qz_progress){.stage = "ranges of keys and values", .unit = "windows",
                                           .done = qz_min_size(t->windows, i + m.windows), .total = t->windows});
    }
    qz_progress_end(run);
    qz_kv_free(m.kv);
    qz_engine_free(m.e);
    qz_free(m.seq);
    qz_free(m.want);
    out->k = k, out->v = v;
    return st;
}
