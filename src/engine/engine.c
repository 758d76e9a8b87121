#include "engine/engine.h"
#include "base/map.h"
#include "base/size.h"
#include "engine/elementwise.h"
#include "engine/engine_int.h"
#include "model/cache.h"
#include "model/config_wide.h"
#include <stdio.h>
#include <string.h>

/* What is done to inputs, in words: of the first linear that says so, and whether others say something else. */
static void note_inputs(qz_engine *e, const qz_input_rounding *how, size_t cols) {
    static const char others[] = " and others";
    char text[32];
    if (how == NULL || e->arith != QZ_ARITH_RUNTIME) return;
    e->rounded_width = qz_max_size(e->rounded_width, cols);
    qz_input_rounding_text(how, text);
    const size_t n = strlen(text);
    if (e->rounds[0] == 0) memcpy(e->rounds, text, n + 1);
    else if (strncmp(e->rounds, text, n) != 0 && strstr(e->rounds, others) == NULL)
        memcpy(e->rounds + strlen(e->rounds), others, sizeof others);
}

static qz_weights weights_of(qz_engine *e, const qz_tensor_view *t) {
    note_inputs(e, t->inputs, t->cols);
    return (qz_weights){.type = t->type, .rows = t->rows, .cols = t->cols, .data = t->data, .coded = t->coded,
                        .first_row = t->first_row,
                        .inputs = e->arith == QZ_ARITH_RUNTIME ? t->inputs : NULL};
}

/* Small float tensors (norms, biases) are decoded once. */
static qz_status small(qz_engine *e, const qz_tensor_view *t, const float **out, qz_error *err) {
    *out = NULL;
    if (t == NULL) return QZ_OK;
    float *p = qz_arena_alloc(&e->arena, t->rows * t->cols, sizeof *p);
    if (p == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for '%s'", t->name);
    qz_tensor_decode(t, 0, t->rows, p);
    *out = p;
    return QZ_OK;
}

/* Gains as they multiply. */
static qz_status norm(qz_engine *e, const qz_tensor_view *t, const float **out, qz_error *err) {
    QZ_TRY(small(e, t, out, err));
    float *p = (float *)(uintptr_t)*out;
    for (size_t k = 0; p && e->model->config.norm_plus_one && k < t->cols; k++) p[k] += 1;
    return QZ_OK;
}

static qz_status expert_biases(qz_engine *e, const qz_block *b, size_t linear, qz_layer_weights *w, qz_error *err) {
    const qz_tensor_view *const *bias = b->expert_bias[linear];
    if (bias == NULL) return QZ_OK;
    const size_t n = (size_t)e->model->config.experts, rows = bias[0]->cols;
    float *p = qz_arena_alloc(&e->arena, n * rows, sizeof *p);
    if (p == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for %zu experts", n);
    for (size_t x = 0; x < n; x++) qz_tensor_decode(bias[x], 0, 1, p + x * rows);
    w->expert_bias[linear] = p;
    return QZ_OK;
}

static qz_status open_experts(qz_engine *e, const qz_block *b, qz_layer_weights *w, qz_error *err) {
    const size_t n = (size_t)e->model->config.experts;
    w->router = weights_of(e, b->router);
    QZ_TRY(small(e, b->router_bias, &w->router_bias, err));
    for (size_t k = 0; k < QZ_LINEARS; k++) {
        if (b->expert[k] == NULL) continue;
        QZ_TRY(expert_biases(e, b, k, w, err));
        w->expert[k] = qz_arena_calloc(&e->arena, n, sizeof *w->expert[k]);
        if (e->arith == QZ_ARITH_RUNTIME)
            w->expert_packed[k] = qz_arena_calloc(&e->arena, n, sizeof *w->expert_packed[k]);
        if (w->expert[k] == NULL || (e->arith == QZ_ARITH_RUNTIME && w->expert_packed[k] == NULL))
            return qz_fail(err, QZ_EMEMORY, "out of memory for %zu experts", n);
        for (size_t x = 0; x < n; x++) {
            w->expert[k][x] = weights_of(e, b->expert[k][x]);
            if (e->arith == QZ_ARITH_RUNTIME)
                QZ_TRY(qz_packed_open(e->mm, &w->expert[k][x], &w->expert_packed[k][x], err));
        }
    }
    return QZ_OK;
}

static qz_status open_layer(qz_engine *e, size_t i, qz_error *err) {
    const qz_block *b = &e->model->blocks[i];
    qz_layer_weights *w = &e->layers[i];
    w->lora = e->lora ? &e->lora->layers[i] : NULL;
    w->router.type = QZ_TYPE_NONE;
    for (size_t k = 0; k < QZ_NORM_COUNT; k++) {
        QZ_TRY(norm(e, b->norm[k], &w->norm[k], err));
        QZ_TRY(small(e, b->norm_bias[k], &w->norm_bias[k], err));
    }
    for (size_t k = 0; k < QZ_PARTS; k++) QZ_TRY(small(e, b->part[k], &w->part[k], err));
    if (b->router) QZ_TRY(open_experts(e, b, w, err));
    for (size_t l = 0; l < QZ_LINEARS; l++) {
        w->lin[l].type = QZ_TYPE_NONE;
        if (b->linear[l] == NULL) continue;
        w->lin[l] = weights_of(e, b->linear[l]);
        QZ_TRY(small(e, b->bias[l], &w->bias[l], err));
        qz_site s;
        const bool whole = !qz_site_of(&e->model->config, i, l, &s) || !s.inside;
        if (e->arith == QZ_ARITH_RUNTIME && whole) QZ_TRY(qz_packed_open(e->mm, &w->lin[l], &w->packed[l], err));
    }
    return QZ_OK;
}

static void name_kernel(qz_engine *e) {
    const qz_layer_weights *w = &e->layers[0];
    const char *name = "float32 exact";
    /* of the feed-forward, where most weights are; of experts the first one's */
    for (size_t l = QZ_LINEARS; l-- > QZ_MIXER_LINEARS;) {
        const qz_packed *p = w->packed[l] ? w->packed[l] : w->expert_packed[l] ? w->expert_packed[l][0] : NULL;
        if (p) name = qz_packed_kernel(p);
    }
    (void)snprintf(e->kernel, sizeof e->kernel, "%s%s%s%s", name, e->rounds[0] ? ", " : "", e->rounds,
                   e->rounds[0] ? " inputs" : "");
}

/* What inputs of tokens need besides. */
static qz_status open_tokens(qz_engine *e, size_t threads, qz_error *err) {
    const qz_tensor_view *table = e->model->token[QZ_TOKEN_EMBED];
    if (table == NULL) return QZ_OK;
    size_t n;
    const bool fits = qz_mul_size(table->cols + (size_t)e->model->config.token.width, threads, &n);
    e->step.token_rows = fits ? qz_arena_alloc(&e->arena, n, sizeof *e->step.token_rows) : NULL;
    if (e->step.token_rows == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening the engine");
    return small(e, e->model->token[QZ_TOKEN_GAINS], &e->token_gains, err);
}

qz_status qz_engine_open(qz_run *run, const qz_model *m, const qz_engine_options *o, qz_engine **out, qz_error *err) {
    *out = NULL;
    qz_engine *e = qz_calloc_array(1, sizeof *e);
    if (e == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening the engine");
    e->run = run;
    e->model = m;
    qz_input_widths_of(&m->config, &e->inputs);
    e->arith = o ? o->arith : QZ_ARITH_EXACT;
    e->lora = o ? o->lora : NULL;
    e->route_all = o && o->route_all;
    e->forget = o && o->forget;
    e->batch_tokens = o && o->batch_tokens ? o->batch_tokens : 512;
    size_t threads = qz_pool_size(run->pool);
    qz_status st = qz_mm_open(run, &e->mm, err);
    if (st == QZ_OK) {
        e->layers = qz_arena_calloc(&e->arena, m->config.layers, sizeof *e->layers);
        e->step.scores = qz_arena_calloc(&e->arena, threads, sizeof *e->step.scores);
        e->step.scores_cap = qz_arena_calloc(&e->arena, threads, sizeof *e->step.scores_cap);
        if (e->layers == NULL || e->step.scores == NULL || e->step.scores_cap == NULL)
            st = qz_fail(err, QZ_EMEMORY, "out of memory opening the engine");
    }
    for (size_t i = 0; st == QZ_OK && i < m->config.layers; i++) st = open_layer(e, i, err);
    if (st == QZ_OK) st = norm(e, m->final_norm, &e->final_norm, err);
    if (st == QZ_OK) st = open_tokens(e, threads, err);
    if (st == QZ_OK) st = small(e, m->final_bias, &e->final_bias, err);
    if (st == QZ_OK) st = small(e, m->head_bias, &e->head_bias, err);
    if (st == QZ_OK) {
        e->head = weights_of(e, m->head);
        if (e->arith == QZ_ARITH_RUNTIME) st = qz_packed_open(e->mm, &e->head, &e->head_packed, err);
    }
    if (st != QZ_OK) {
        qz_engine_free(e);
        return st;
    }
    name_kernel(e);
    *out = e;
    return QZ_OK;
}

/* Buffers of a step, each with what a token needs of it; their number. */
enum { MOST_BUFFERS = 2 + QZ_LINEARS + QZ_SUBS * QZ_SUB_INPUTS };
typedef struct { float **at; uint64_t width; } step_buffer;
static size_t step_buffers(qz_step *s, const qz_config *c, step_buffer out[MOST_BUFFERS]) {
    qz_step_widths w;
    size_t n = 0;
    qz_step_widths_of(c, &w);
    out[n++] = (step_buffer){&s->h, c->hidden_size};
    out[n++] = (step_buffer){&s->out, c->hidden_size};
    for (size_t l = 0; l < QZ_LINEARS; l++)
        if (w.linear[l]) out[n++] = (step_buffer){&s->linear[l], w.linear[l]};
    for (int i = 0; i < QZ_SUBS * QZ_SUB_INPUTS; i++) {
        const uint64_t width = w.input[i / QZ_SUB_INPUTS][i % QZ_SUB_INPUTS];
        if (width) out[n++] = (step_buffer){&s->input[i / QZ_SUB_INPUTS][i % QZ_SUB_INPUTS], width};
    }
    return n;
}

static void step_release(qz_step *s, const qz_config *c, size_t threads) {
    step_buffer b[MOST_BUFFERS];
    for (size_t i = 0, n = step_buffers(s, c, b); i < n; i++) {
        qz_free(*b[i].at);
        *b[i].at = NULL;
    }
    qz_free(s->rounded);
    s->rounded = NULL;
    qz_free(s->rope);
    s->rope = NULL;
    for (size_t i = 0; s->scores && s->scores_cap && i < threads; i++) qz_free(s->scores[i]);
    qz_free(s->runs);
    s->runs = NULL;
    qz_expert_step_release(&s->experts);
    qz_free(s->low);
    s->low = NULL;
}

/* Packed matrices of layer i. */
static void each_packed(const qz_engine *e, size_t i, void (*fn)(qz_packed *p, uint64_t *sum), uint64_t *sum) {
    const qz_layer_weights *w = &e->layers[i];
    for (size_t l = 0; l < QZ_LINEARS; l++)
        if (w->packed[l]) fn(w->packed[l], sum);
    for (size_t k = 0; k < QZ_LINEARS; k++)
        for (size_t x = 0; w->expert_packed[k] && x < e->model->config.experts; x++)
            if (w->expert_packed[k][x]) fn(w->expert_packed[k][x], sum);
}
static void free_one(qz_packed *p, uint64_t *sum) {
    (void)sum;
    qz_packed_free(p);
}
static void add_bytes(qz_packed *p, uint64_t *sum) { *sum += qz_packed_bytes(p); }

void qz_engine_free(qz_engine *e) {
    if (e == NULL) return;
    for (size_t i = 0; e->layers && i < e->model->config.layers; i++)
        each_packed(e, i, free_one, NULL);
    qz_packed_free(e->head_packed);
    qz_kv_free(e->scratch_kv);
    for (size_t i = 0; i < 2; i++) qz_free(e->lent[i]);
    step_release(&e->step, &e->model->config, qz_pool_size(e->run->pool));
    qz_mm_free(e->mm);
    qz_arena_release(&e->arena);
    qz_free(e);
}

void qz_engine_round_any(qz_engine *e) { e->rounded_width = qz_widest_input(&e->inputs); }
const char *qz_engine_kernel(const qz_engine *e) { return e->kernel; }
const char *qz_engine_inputs(const qz_engine *e) { return e->rounds; }
const qz_model *qz_engine_model(const qz_engine *e) { return e->model; }
qz_mm *qz_engine_mm(qz_engine *e) { return e->mm; }
const qz_layer_weights *qz_engine_layer(const qz_engine *e, size_t layer) { return &e->layers[layer]; }
void qz_engine_observe(qz_engine *e, qz_observe_fn fn, void *arg) {
    e->observe = fn;
    e->observe_arg = arg;
}
uint64_t qz_engine_bytes(const qz_engine *e) {
    const qz_config *c = &e->model->config;
    /* without the residual */
    uint64_t n = e->arena.used + e->step.cap * sizeof(float) * (qz_step_floats(c) - c->hidden_size + e->rounded_width) +
                 e->step.low_room * sizeof(float);
    if (e->arith == QZ_ARITH_EXACT) return n;
    for (size_t i = 0; i < c->layers; i++)
        each_packed(e, i, add_bytes, &n);
    return n + qz_packed_bytes(e->head_packed);
}

qz_status qz_step_reserve(qz_engine *e, size_t n, qz_error *err) {
    qz_step *s = &e->step;
    const qz_config *c = &e->model->config;
    if (n <= s->cap) return QZ_OK;
    step_buffer b[MOST_BUFFERS];
    s->cap = 0;
    for (size_t i = 0, all = step_buffers(s, c, b); i < all; i++) {
        qz_free(*b[i].at);
        size_t total;
        *b[i].at = qz_mul_size(n, b[i].width, &total) ? qz_alloc_aligned(total, sizeof(float)) : NULL;
        if (*b[i].at == NULL)
            return qz_fail(err, QZ_EMEMORY, "out of memory for a step of %zu tokens; use a smaller batch", n);
    }
    if (e->rounded_width) {
        size_t total;
        qz_free(s->rounded);
        s->rounded = qz_mul_size(n, e->rounded_width, &total) ? qz_alloc_aligned(total, sizeof(float)) : NULL;
        if (s->rounded == NULL)
            return qz_fail(err, QZ_EMEMORY, "out of memory for a step of %zu tokens; use a smaller batch", n);
    }
    s->cap = n;
    return QZ_OK;
}

qz_status qz_step_add_run(qz_engine *e, qz_seq_run r, qz_error *err) {
    qz_step *s = &e->step;
    if (s->n_runs == s->runs_cap) {
        size_t cap = s->runs_cap ? 2 * s->runs_cap : 16;
        qz_seq_run *more = qz_realloc_array(s->runs, cap, sizeof *more);
        if (more == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for a step");
        s->runs = more;
        s->runs_cap = cap;
    }
    s->runs[s->n_runs++] = r;
    return QZ_OK;
}

/* Adds the learned positions [first, first + n) to as many rows. */
static qz_status add_positions(qz_engine *e, size_t first, size_t n, float *x, qz_error *err) {
    const qz_tensor_view *t = e->model->positions;
    const qz_config *c = &e->model->config;
    if (t == NULL) return QZ_OK;
    if (n > c->max_position || first > c->max_position - n)
        return qz_fail(err, QZ_EUSAGE, "context is full: expected at most %llu tokens, of which the model has learned "
                       "positions, found %zu", (unsigned long long)c->max_position, first + n);
    const size_t rows = t->rows - (size_t)c->max_position + first; /* those in front belong to no position */
    float *p = qz_alloc_array(t->cols, sizeof *p);
    if (p == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for a step of %zu tokens", n);
    for (size_t i = 0; i < n; i++) {
        qz_tensor_decode(t, rows + i, 1, p);
        qz_add_rows(x + i * t->cols, p, t->cols);
    }
    qz_free(p);
    return QZ_OK;
}

qz_status qz_step_embed(qz_engine *e, const uint32_t *ids, size_t n, float *x, qz_error *err) {
    const qz_tensor_view *t = e->model->embed;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] >= t->rows)
            return qz_fail(err, QZ_EUSAGE,
                           "token id out of range: position %zu: expected below %zu, found %u; the tokenizer does not "
                           "fit the model",
                           i, t->rows, ids[i]);
        qz_tensor_decode(t, ids[i], 1, x + i * t->cols);
        if (e->lora) qz_step_low_embed(e->lora->embed, ids[i], x + i * t->cols);
    }
    const float scale = (float)e->model->config.embed_scale;
    for (size_t i = 0; scale != 1 && i < n * t->cols; i++) x[i] *= scale;
    return QZ_OK;
}
qz_status qz_engine_embed(qz_engine *e, const uint32_t *ids, size_t n, size_t seq_len, float *x, qz_error *err) {
    QZ_TRY(qz_step_embed(e, ids, n, x, err));
    e->at.ids = ids, e->at.n = n, e->at.seq = seq_len;
    qz_engine_at(e, 0, 0);
    for (size_t i = 0; e->model->positions && i < n; i += seq_len)
        QZ_TRY(add_positions(e, 0, qz_min_size(seq_len, n - i), x + i * e->model->config.hidden_size, err));
    return QZ_OK;
}

void qz_engine_final_norm(qz_engine *e, const float *x, size_t n, float *h) {
    qz_step_norm(e, x, (qz_gains){e->final_norm, e->final_bias}, n, h);
}

/* Final norm and output matrix for rows x [n, hidden]. */
qz_status qz_engine_logits(qz_engine *e, const float *x, size_t n, float *logits, qz_error *err) {
    QZ_TRY(qz_step_reserve(e, n, err));
    qz_engine_final_norm(e, x, n, e->step.h);
    if (!qz_mm_all_finite(e->mm, e->step.h, n * e->model->config.hidden_size)) {
        QZ_TRY(qz_model_check_finite(NULL, e->model, err));
        return qz_fail(err, QZ_ENUMERIC,
                       "values that are not finite: model '%s', the norm before the output matrix is the first: its "
                       "values overflow float32; check its "
                       "weights ('quantz verify', 'quantz check --deep') and the configuration",
                       e->model->path);
    }
    const float *h = qz_step_rounded(e, &e->head, e->step.h, n);
    if (e->head_packed != NULL) {
        const qz_packed *p = e->head_packed;
        QZ_TRY(qz_mm_packed(e->mm, &p, 1, h, n, &logits, err));
    } else QZ_TRY(qz_mm_exact(e->mm, &e->head, h, n, logits, err));
    if (e->lora) QZ_TRY(qz_step_low(e, e->lora->head, e->step.h, n, logits, err));
    const size_t vocab = (size_t)e->model->config.vocab_size;
    for (size_t t = 0; e->head_bias && t < n; t++) qz_add_rows(logits + t * vocab, e->head_bias, vocab);
    const qz_config *c = &e->model->config;
    for (size_t i = 0; c->logit_divisor > 0 && i < n * c->vocab_size; i++) logits[i] /= (float)c->logit_divisor;
    if (c->logit_scale > 0) qz_scale_row(logits, n * (size_t)c->vocab_size, (float)c->logit_scale);
    if (c->logit_softcap > 0) qz_softcap(logits, n * (size_t)c->vocab_size, 1, (float)c->logit_softcap);
    if (qz_mm_all_finite(e->mm, logits, n * c->vocab_size)) return QZ_OK;
    QZ_TRY(qz_model_check_finite(NULL, e->model, err));
    return qz_fail(err, QZ_ENUMERIC,
                   "values that are not finite: model '%s', the output matrix is the first: its logits overflow "
                   "float32; check its weights "
                   "('quantz verify', 'quantz check --deep') and the configuration",
                   e->model->path);
}

/* Splits tokens [0, n) of the step into runs of one sequence each. */
static qz_status make_runs(qz_engine *e, qz_kv *kv, const uint32_t *seq, size_t n, const size_t *total, qz_error *err) {
    e->step.n_runs = 0;
    size_t longest = 0;
    for (size_t t = 0; t < n;) {
        size_t s = seq ? seq[t] : 0, end = t + 1;
        while (end < n && (seq ? seq[end] : 0) == s) end++;
        if (s >= kv->n_seq) return qz_fail(err, QZ_EBUG, "sequence %zu of %zu", s, kv->n_seq);
        QZ_TRY(qz_step_add_run(e, (qz_seq_run){.first = t, .n = end - t, .seq = s, .past = kv->length[s],
                                               .total = total[s]}, err));
        kv->length[s] += end - t;
        longest = qz_max_size(longest, kv->length[s]);
        t = end;
    }
    QZ_TRY(qz_kv_rope(kv, &e->model->config, longest, err));
    return qz_step_rope(e, err);
}

/* Tokens of a batch that go through the layers together. */
typedef struct { const qz_batch *b; size_t first, n; const size_t *total; float *x; } part;
/* Stored weights lie in the model's mapping: what is read again comes from the file. */
static void forget(const qz_tensor_view *t) {
    if (t && t->data) qz_map_forget(t->data, t->bytes);
}
static void forget_block(const qz_model *m, size_t layer) {
    const qz_block *b = &m->blocks[layer];
    for (size_t i = 0; i < b->n_sites; i++)
        for (size_t x = 0; x < qz_max_size(1, b->sites[i].site.experts); x++) forget(b->sites[i].weight[x]);
}

static qz_status forward_step(qz_engine *e, qz_kv *kv, const part *p, float **logits, qz_error *err) {
    const qz_config *c = &e->model->config;
    const qz_batch *b = p->b;
    float *x = p->x;
    QZ_TRY(make_runs(e, kv, b->seq ? b->seq + p->first : NULL, p->n, p->total, err));
    QZ_TRY(qz_step_embed(e, b->ids + p->first, p->n, x, err));
    e->step.ids = b->ids + p->first;
    for (const qz_seq_run *r = e->step.runs; r < e->step.runs + e->step.n_runs; r++)
        QZ_TRY(add_positions(e, r->past, r->n, x + r->first * c->hidden_size, err));
    kv->touched = kv->states != NULL;
    for (size_t l = 0; l < c->layers; l++) {
        QZ_TRY(qz_step_block(e, &(qz_place){.layer = l, .w = &e->layers[l], .kv = kv}, x, p->n, err));
        if (e->forget) forget_block(e->model, l);
    }
    if (*logits == NULL) return QZ_OK;
    size_t wanted = 0; /* rows wanted move to the front */
    for (size_t t = 0; t < p->n; t++) {
        if (b->want && !b->want[p->first + t]) continue;
        if (wanted != t) memcpy(x + wanted * c->hidden_size, x + t * c->hidden_size, c->hidden_size * sizeof *x);
        wanted++;
    }
    if (wanted == 0) return QZ_OK;
    QZ_TRY(qz_engine_logits(e, x, wanted, *logits, err));
    if (e->forget) forget(e->model->head);
    *logits += wanted * c->vocab_size;
    return QZ_OK;
}

/* After a failure the sequences have the lengths that they had before the call, unless a state went on: such ones begin
 * anew. */
static void take_back(qz_kv *kv, const size_t *before, const size_t *after) {
    for (size_t s = 0; s < kv->n_seq; s++) kv->length[s] = kv->touched && after[s] != before[s] ? 0 : before[s];
}

qz_status qz_engine_forward(qz_engine *e, qz_kv *kv, const qz_batch *b, float *logits, qz_error *err) {
    const qz_config *c = &e->model->config;
    size_t step = qz_min_size(e->batch_tokens, b->n), total;
    if (b->n == 0) return QZ_OK;
    float *x = qz_mul_size(step, c->hidden_size, &total) ? qz_alloc_aligned(total, sizeof *x) : NULL;
    size_t *before = qz_alloc_array(kv->n_seq, 2 * sizeof *before), *after = before ? before + kv->n_seq : NULL;
    kv->touched = false;
    qz_status st = x == NULL || before == NULL
                       ? qz_fail(err, QZ_EMEMORY, "out of memory for a step of %zu tokens", step)
                       : QZ_OK;
    if (st == QZ_OK)
        memcpy(before, kv->length, kv->n_seq * sizeof *before), memcpy(after, kv->length, kv->n_seq * sizeof *after);
    for (size_t t = 0; st == QZ_OK && t < b->n; t++)
        if (!b->seq || b->seq[t] < kv->n_seq) after[b->seq ? b->seq[t] : 0]++; /* others are refused by their step */
    if (st == QZ_OK) st = qz_step_reserve(e, step, err);
    for (size_t t = 0; t < b->n && st == QZ_OK; t += step)
        st = forward_step(e, kv, &(part){b, t, qz_min_size(step, b->n - t), after, x}, &logits, err);
    if (st != QZ_OK && before != NULL) take_back(kv, before, after);
    qz_free(before);
    qz_free(x);
    return st;
}

/* ---- block-wise use ---- */
void qz_engine_at(qz_engine *e, size_t first_window, size_t stream) {
    e->at.first = first_window;
    e->at.stream = stream;
}

/* Does a layer behind read its keys? */
static bool lends(const qz_config *c, size_t l) {
    bool yes = false;
    for (size_t b = l + 1; c->wide.borrowers && b < c->layers; b++) yes |= qz_config_key_layer(c, b) == l;
    return yes;
}
uint64_t qz_engine_lent_bytes(const qz_config *c, size_t windows, size_t seq_len) {
    uint64_t n = 0;
    for (size_t l = 0; l < c->layers; l++) {
        const qz_layer_cache k = qz_cache_of(c, l);
        if (lends(c, l)) n += k.heads * (k.k_dim + k.v_dim);
    }
    return 4 * n * windows * seq_len;
}

/* The layers that lend keep those of all windows, so that the borrowers' calls find them. */
static qz_status lend(qz_engine *e, qz_kv *kv, size_t n_seq, qz_error *err) {
    const qz_config *c = &e->model->config;
    if (c->wide.borrowers == 0) return QZ_OK;
    const size_t s = e->at.stream, windows = qz_max_size(e->at.seq ? e->at.n / e->at.seq : 0, e->at.first + n_seq);
    size_t tokens;
    if (!qz_mul_size(windows, kv->max_tokens, &tokens))
        return qz_fail(err, QZ_EMEMORY, "out of memory for the keys of %zu windows", windows);
    if (e->lent_tokens[s] < tokens) {
        const uint64_t bytes = qz_engine_lent_bytes(c, windows, kv->max_tokens);
        qz_free(e->lent[s]);
        e->lent_tokens[s] = 0;
        e->lent[s] = bytes <= SIZE_MAX ? qz_alloc_aligned((size_t)bytes, 1) : NULL;
        if (e->lent[s] == NULL)
            return qz_fail(err, QZ_EMEMORY, "out of memory for the keys of %zu windows; use fewer --samples", windows);
        e->lent_tokens[s] = tokens;
    }
    float *p = e->lent[s];
    for (size_t l = 0; l < c->layers; l++) {
        qz_kv_layer *x = &kv->layers[l];
        if (!lends(c, l)) continue;
        x->first = e->at.first;
        x->k = p, p += tokens * x->heads * x->k_dim;
        x->v = p, p += tokens * x->heads * x->v_dim;
    }
    return QZ_OK;
}

/* The tokens of n rows of a call. */
static qz_status find_tokens(qz_engine *e, size_t n, qz_error *err) {
    const size_t first = e->at.first * e->at.seq;
    e->step.ids = e->at.ids ? e->at.ids + first : NULL;
    if (e->model->config.token.width == 0 || (e->at.ids && first <= e->at.n && n <= e->at.n - first)) return QZ_OK;
    return qz_fail(err, QZ_EBUG, "rows %zu to %zu of %zu embedded tokens", first, first + n, e->at.n);
}

/* A cache for one layer at a time and one sequence slot per sequence of the chunk. */
static qz_status scratch(qz_engine *e, size_t n_seq, size_t seq_len, qz_error *err) {
    qz_kv *kv = e->scratch_kv;
    if (kv == NULL || kv->n_seq < n_seq || kv->max_tokens < seq_len) {
        qz_kv_free(kv);
        e->scratch_kv = NULL;
        QZ_TRY(qz_kv_open_scratch(e, n_seq, seq_len, &e->scratch_kv, err));
        kv = e->scratch_kv;
    }
    QZ_TRY(lend(e, kv, n_seq, err));
    QZ_TRY(find_tokens(e, n_seq * seq_len, err));
    QZ_TRY(qz_step_reserve(e, n_seq * seq_len, err));
    QZ_TRY(qz_kv_rope(kv, &e->model->config, seq_len, err));
    e->step.n_runs = 0;
    for (size_t s = 0; s < n_seq; s++)
        QZ_TRY(qz_step_add_run(e, (qz_seq_run){.first = s * seq_len, .n = seq_len, .seq = s, .total = seq_len}, err));
    return qz_step_rope(e, err);
}

qz_status qz_engine_block(qz_engine *e, size_t layer, const qz_layer_weights *w, float *x, size_t n_seq, size_t seq_len,
                          qz_error *err) {
    QZ_TRY(scratch(e, n_seq, seq_len, err));
    const qz_place at = {.layer = layer, .w = w ? w : &e->layers[layer], .kv = e->scratch_kv};
    return qz_step_block(e, &at, x, n_seq * seq_len, err);
}
qz_status qz_engine_mixer(qz_engine *e, size_t layer, const qz_layer_weights *w, const float *h, qz_chunk c, float *y,
                          qz_error *err) {
    QZ_TRY(scratch(e, c.n_seq, c.seq_len, err));
    const qz_place at = {.layer = layer, .w = w ? w : &e->layers[layer], .kv = e->scratch_kv};
    return qz_step_sub(e, QZ_SUB_MIXER, &at, h, c.n_seq * c.seq_len, y, err);
}
qz_status qz_engine_ffn(qz_engine *e, size_t layer, const qz_layer_weights *w, const float *h, size_t n, float *y,
                        qz_error *err) {
    QZ_TRY(qz_step_reserve(e, n, err));
    QZ_TRY(find_tokens(e, n, err));
    const qz_place at = {.layer = layer, .w = w ? w : &e->layers[layer]};
    return qz_step_sub(e, QZ_SUB_FFN, &at, h, n, y, err);
}
