#include "calibrate/propagate.h"
#include "base/size.h"
#include "codecs/types.h"
#include "engine/elementwise.h"
#include "engine/engine.h"
#include "kernels/rows.h"
#include <string.h>

enum { MOST_WINDOWS = 8, LEAST_CHUNKS = 8 };
typedef enum { FLOAT, QUANT, STREAMS } stream;

struct qz_propagate {
    qz_run *run;
    qz_engine *e;
    size_t windows, seq, hidden, chunk; /* chunk: windows of a step */
    bool sequential, differences;
    const qz_input_rounding *inputs;           /* what servers do to the input of the stage */
    const qz_input_rounding *taken[QZ_LINEARS]; /* to that of each linear whose weights are quantized */
    size_t layer;                 /* the one being quantized */
    size_t next;                  /* stage expected next; as many as there are: the layer is complete */
    float *h[STREAMS];            /* [tokens, hidden] */
    float *mid;                   /* not sequential: the quantized stream inside a block of float weights */
    float *held[STREAMS];         /* [tokens, hidden] what both halves of a parallel layer read; else NULL */
    float *norm[STREAMS], *out;   /* [chunk tokens, hidden] */
    float *lost;                  /* [chunk tokens, hidden] float minus quantized stream before the sub-module */
    float *input[STREAMS];        /* [chunk tokens, widest] what the stage's linears see */
    size_t fill[STREAMS];
    stream watched;
    size_t watched_stage;
    float *w[QZ_LINEARS];         /* quantized weights of this layer, NULL: not yet */
    size_t room[QZ_LINEARS];      /* values that each has room for */
    bool has[QZ_LINEARS];
    qz_pair_stats pair;
    size_t experts;               /* 0: dense */
    qz_input_widths widths;
    double **gram;                /* [experts] room for the wider of their inputs */
    uint64_t *tokens;             /* [experts] */
    float **expert_w[QZ_LINEARS]; /* [experts] quantized weights of this layer, NULL: not yet */
    bool *expert_has[QZ_LINEARS];
    qz_weights *expert_view[QZ_LINEARS]; /* what the engine gets */
    qz_status observed;           /* first failure inside the observer */
    qz_error *err;
};

static void keep(void *arg, const qz_observed *o) {
    qz_propagate *p = arg;
    const qz_input in = qz_input_at(&p->widths, o->layer, o->input);
    if (in.expert >= 0 || in.n == 0 || in.stage != p->watched_stage) return; /* of all tokens: one for each stage */
    memcpy(p->input[p->watched] + p->fill[p->watched], o->x, o->n * o->cols * sizeof *o->x);
    p->fill[p->watched] += o->n * o->cols;
}
static void keep_expert(void *arg, const qz_observed *o) {
    qz_propagate *p = arg;
    const qz_input in = qz_input_at(&p->widths, o->layer, o->input);
    if (in.expert < 0 || in.stage != p->watched_stage) return;
    const float *x = o->x;
    p->tokens[in.expert] += o->n;
    if (p->inputs) {
        qz_input_round(p->run->pool, p->inputs, x, o->n, o->cols, p->input[QUANT]);
        x = p->input[QUANT];
    }
    if (p->observed == QZ_OK)
        p->observed = qz_mm_gram(qz_engine_mm(p->e), x, o->n, o->cols, p->gram[in.expert], p->err);
}
static void watch(qz_propagate *p, stream s, size_t stage) {
    p->watched = s;
    p->watched_stage = stage;
    p->fill[s] = 0;
    qz_engine_observe(p->e, keep, p);
}

/* The layer's weights with what is quantized in place; plain: the source's own. */
static qz_layer_weights weights(qz_propagate *p, bool plain) {
    qz_layer_weights w = *qz_engine_layer(p->e, p->layer);
    for (size_t l = 0; l < QZ_LINEARS; l++)
        if (!plain && p->has[l])
            w.lin[l] = (qz_weights){.type = QZ_TYPE_F32, .rows = w.lin[l].rows, .cols = w.lin[l].cols, .data = p->w[l],
                                    .inputs = p->taken[l]};
    for (size_t k = 0; k < QZ_LINEARS; k++) {
        if (w.expert[k] == NULL) continue;
        for (size_t x = 0; x < p->experts; x++) {
            qz_weights *v = &p->expert_view[k][x];
            *v = w.expert[k][x];
            if (!plain && p->expert_has[k][x])
                *v = (qz_weights){.type = QZ_TYPE_F32, .rows = v->rows, .cols = v->cols, .data = p->expert_w[k][x],
                                  .inputs = p->taken[k]};
        }
        w.expert[k] = p->expert_view[k];
    }
    return w;
}

/* What a sub-module reads of n rows x, which stand `at` values from the stream's beginning, to p->norm[s]. */
static void income(qz_propagate *p, qz_sub sub, stream s, const float *x, size_t at, size_t n) {
    if (p->held[s] && sub == QZ_SUB_FFN) memcpy(p->norm[s], p->held[s] + at, n * p->hidden * sizeof *x);
    else qz_engine_income(p->e, qz_engine_layer(p->e, p->layer), sub, x, n, p->norm[s]);
}

typedef struct { float *x; size_t seqs, at; } part_of_stream; /* [seqs · seq, hidden], from value `at` on */

/* x += sub-module(norm(x)) for one chunk, unless it is not to advance; its inner inputs go to input[s] when watched.
 * */
static qz_status pass(qz_propagate *p, qz_sub sub, stream s, const qz_layer_weights *w, const part_of_stream *part,
                      bool advance, qz_error *err) {
    const size_t seqs = part->seqs, n = seqs * p->seq;
    float *x = part->x;
    qz_engine_at(p->e, part->at / (p->seq * p->hidden), s);
    income(p, sub, s, x, part->at, n);
    if (sub == QZ_SUB_MIXER)
        QZ_TRY(qz_engine_mixer(p->e, p->layer, w, p->norm[s], (qz_chunk){seqs, p->seq}, p->out, err));
    else QZ_TRY(qz_engine_ffn(p->e, p->layer, w, p->norm[s], n, p->out, err));
    qz_engine_observe(p->e, NULL, NULL);
    if (!advance) return QZ_OK;
    qz_engine_outcome(p->e, qz_engine_layer(p->e, p->layer), sub, p->out, n, x);
    return QZ_OK;
}

/* What the quantized stream y has lost against x, before a sub-module is added to both: as much of what the
 * sub-module gives. */
static void keep_lost(qz_propagate *p, const float *x, const float *y, size_t n) {
    const float scale = (float)qz_engine_model(p->e)->config.residual_scale;
    for (size_t i = 0; p->pair.lost_rows && i < n * p->hidden; i++)
        p->lost[i] = scale > 0 ? (x[i] - y[i]) / scale : x[i] - y[i];
}

/* b is rounded in place as the linears take it: what that loses is part of the difference. */
static qz_status gather(qz_propagate *p, size_t half, float *a, float *b, size_t n, qz_error *err) {
    size_t cols = p->pair.cols;
    if (p->inputs) qz_input_round(p->run->pool, p->inputs, b, n, cols, b);
    qz_mm *mm = qz_engine_mm(p->e);
    p->pair.tokens[half] += n;
    QZ_TRY(qz_mm_gram(mm, b, n, cols, p->pair.gram[half], err));
    if (!p->differences) return QZ_OK;
    for (size_t i = 0; i < n * cols; i++) a[i] -= b[i];
    QZ_TRY(qz_mm_cross(mm, (qz_token_rows){a, cols}, (qz_token_rows){b, cols}, n, p->pair.cross[half], err));
    return p->pair.lost_rows ? qz_mm_cross(mm, (qz_token_rows){p->lost, p->hidden}, (qz_token_rows){b, cols}, n,
                                           p->pair.lost[half], err)
                             : QZ_OK;
}

/* Is it the last input of its sub-module? */
static bool is_last(const qz_propagate *p, const qz_input *in) {
    return in->stage + 1 == qz_stages(&p->widths, p->layer)
        || qz_stage_input(&p->widths, p->layer, in->stage + 1).sub != in->sub;
}

/* One chunk of windows through a feed-forward of experts: the inputs of the quantized stream's experts; with the last
 * the float stream goes on. */
static qz_status step_experts(qz_propagate *p, const qz_input *group, size_t first, size_t seqs, qz_error *err) {
    const size_t at = first * p->seq * p->hidden;
    qz_layer_weights w = weights(p, !p->sequential);
    float *y = p->h[QUANT] + at, *in = p->sequential ? y : p->mid + at;
    if (group->first_of_sub && p->sequential)
        QZ_TRY(pass(p, QZ_SUB_MIXER, QUANT, &w, &(part_of_stream){y, seqs, at}, true, err));
    if (is_last(p, group))
        QZ_TRY(pass(p, QZ_SUB_FFN, FLOAT, NULL, &(part_of_stream){p->h[FLOAT] + at, seqs, at}, true, err));
    p->watched_stage = group->stage;
    p->observed = QZ_OK;
    p->err = err;
    qz_engine_observe(p->e, keep_expert, p);
    QZ_TRY(pass(p, QZ_SUB_FFN, QUANT, &w, &(part_of_stream){in, seqs, at}, false, err));
    return p->observed;
}
static void clear_experts(qz_propagate *p, size_t cols) {
    for (size_t x = 0; x < p->experts; x++) memset(p->gram[x], 0, cols * cols * sizeof(double));
    memset(p->tokens, 0, p->experts * sizeof *p->tokens);
    p->pair = (qz_pair_stats){.cols = cols, .gram = {p->pair.gram[0], p->pair.gram[1]},
                              .cross = {p->pair.cross[0], p->pair.cross[1]},
                              .lost = {p->pair.lost[0], p->pair.lost[1]}, .expert_gram = p->gram,
                              .expert_tokens = p->tokens};
}

/* One chunk of windows: both streams up to the input; with the last of a sub-module the float stream goes past it.
 * The quantized one goes past the mixer when the feed-forward begins (sequential: its linears are quantized then), or
 * at once in a copy of float weights. */
static qz_status step(qz_propagate *p, const qz_input *group, size_t first, size_t seqs, qz_error *err) {
    const size_t n = seqs * p->seq, at = first * p->seq * p->hidden, half = first / p->chunk % QZ_HALVES;
    const bool mixer = group->sub == QZ_SUB_MIXER, last = is_last(p, group);
    qz_layer_weights w = weights(p, !p->sequential);
    float *x = p->h[FLOAT] + at, *y = p->h[QUANT] + at, *in = p->sequential ? y : p->mid + at;
    if (group->first_of_sub && !mixer && p->sequential)
        QZ_TRY(pass(p, QZ_SUB_MIXER, QUANT, &w, &(part_of_stream){y, seqs, at}, true, err));
    if (!group->inside) {
        income(p, group->sub, FLOAT, x, at, n);
        income(p, group->sub, QUANT, mixer ? y : in, at, n);
        for (int s = 0; mixer && s < STREAMS && p->held[s]; s++)
            memcpy(p->held[s] + at, p->norm[s], n * p->hidden * sizeof *x);
        return gather(p, half, p->norm[FLOAT], p->norm[QUANT], n, err);
    }
    if (mixer && !p->sequential) memcpy(in, y, n * p->hidden * sizeof *y);
    keep_lost(p, x, in, n);
    watch(p, FLOAT, group->stage);
    QZ_TRY(pass(p, group->sub, FLOAT, NULL, &(part_of_stream){x, seqs, at}, last, err));
    watch(p, QUANT, group->stage);
    QZ_TRY(pass(p, group->sub, QUANT, &w, &(part_of_stream){in, seqs, at}, mixer && last && !p->sequential, err));
    return gather(p, half, p->input[FLOAT], p->input[QUANT], n, err);
}

/* The quantized stream past what is left of the layer. */
static qz_status finish_layer(qz_propagate *p, qz_error *err) {
    qz_layer_weights w = weights(p, false);
    for (size_t i = 0; i < p->windows; i += p->chunk) {
        size_t seqs = qz_min_size(p->chunk, p->windows - i);
        const size_t at = i * p->seq * p->hidden;
        const part_of_stream y = {p->h[QUANT] + at, seqs, at};
        if (!p->sequential) QZ_TRY(pass(p, QZ_SUB_MIXER, QUANT, &w, &y, true, err));
        QZ_TRY(pass(p, QZ_SUB_FFN, QUANT, &w, &y, true, err));
    }
    memset(p->has, 0, sizeof p->has);
    for (size_t k = 0; k < QZ_LINEARS && p->experts; k++)
        memset(p->expert_has[k], 0, p->experts * sizeof *p->expert_has[k]);
    p->layer++;
    p->next = 0;
    return QZ_OK;
}

/* Room for the sums of an input that all tokens go through. */
static void clear_pair(qz_propagate *p, const qz_input *in) {
    const size_t cols = in->cols;
    p->pair.expert_gram = NULL;
    p->pair.expert_tokens = NULL;
    p->pair.cols = cols;
    p->pair.lost_rows = p->differences && in->residual ? p->hidden : 0;
    for (size_t i = 0; i < QZ_HALVES; i++) {
        p->pair.tokens[i] = 0;
        memset(p->pair.gram[i], 0, cols * cols * sizeof(double));
        memset(p->pair.cross[i], 0, cols * cols * sizeof(double));
        memset(p->pair.lost[i], 0, p->pair.lost_rows * cols * sizeof(double));
    }
}

/* What all experts read, from what each of them did. */
static void sum_experts(qz_propagate *p) {
    const size_t n = p->pair.cols * p->pair.cols;
    memset(p->pair.gram[0], 0, n * sizeof(double));
    for (size_t x = 0; x < p->experts; x++) {
        for (size_t i = 0; i < n; i++) p->pair.gram[0][i] += p->gram[x][i];
        p->pair.tokens[0] += p->tokens[x];
    }
    p->pair.tokens[1] = p->windows * p->seq;
}

qz_status qz_propagate_stage(qz_propagate *p, size_t layer, size_t stage, const qz_input_rounding *inputs,
                             qz_pair_stats **out, qz_error *err) {
    *out = NULL;
    if (p->next == qz_stages(&p->widths, p->layer)) QZ_TRY(finish_layer(p, err));
    if (layer != p->layer || stage != p->next)
        return qz_fail(err, QZ_EBUG, "propagation out of order: expected layer %zu stage %zu, found %zu %zu", p->layer,
                       p->next, layer, stage);
    *out = &p->pair;
    p->inputs = inputs;
    p->next++;
    const qz_input in = qz_stage_input(&p->widths, layer, stage);
    const bool experts = in.expert >= 0;
    if (experts) clear_experts(p, in.cols);
    else clear_pair(p, &in);
    for (size_t i = 0; i < p->windows; i += p->chunk) {
        const size_t seqs = qz_min_size(p->chunk, p->windows - i);
        QZ_TRY(experts ? step_experts(p, &in, i, seqs, err) : step(p, &in, i, seqs, err));
    }
    if (experts && !in.inside) sum_experts(p);
    return QZ_OK;
}

qz_status qz_propagate_weights(qz_propagate *p, size_t linear, long expert, const float *w, qz_error *err) {
    const qz_layer_weights *layer = qz_engine_layer(p->e, p->layer);
    const qz_weights *own = expert < 0 ? &layer->lin[linear] : &layer->expert[linear][expert];
    float **to = expert < 0 ? &p->w[linear] : &p->expert_w[linear][expert];
    const size_t n = own->rows * own->cols; /* layers of other kinds have linears of other sizes under a number */
    if (*to && expert < 0 && p->room[linear] < n) {
        qz_free(*to);
        *to = NULL;
    }
    if (*to == NULL) {
        *to = qz_alloc_aligned(n, sizeof *w);
        if (expert < 0) p->room[linear] = *to ? n : 0;
    }
    if (*to == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for the quantized weights of one block");
    memcpy(*to, w, n * sizeof *w);
    p->taken[linear] = p->inputs;
    if (expert < 0) p->has[linear] = true;
    else p->expert_has[linear][expert] = true;
    return QZ_OK;
}

/* The widest input of an expert; 0: there are none. */
static size_t expert_widest(const qz_input_widths *w) {
    size_t widest = 0;
    for (size_t l = 0; l < w->layers; l++)
        for (size_t s = 0; s < qz_stages(w, l); s++) {
            const qz_input in = qz_stage_input(w, l, s);
            if (in.expert >= 0) widest = qz_max_size(widest, in.cols);
        }
    return widest;
}

static qz_status reserve_experts(qz_propagate *p, qz_error *err) {
    const size_t n = p->experts, widest = expert_widest(&p->widths);
    size_t square = 0;
    if (n == 0) return QZ_OK;
    p->gram = qz_calloc_array(n, sizeof *p->gram);
    p->tokens = qz_calloc_array(n, sizeof *p->tokens);
    bool ok = p->gram && p->tokens && qz_mul_size(widest, widest, &square);
    for (size_t x = 0; x < n && ok; x++) ok = (p->gram[x] = qz_alloc_aligned(square, sizeof(double))) != NULL;
    for (size_t k = 0; k < QZ_LINEARS && ok; k++) {
        p->expert_w[k] = qz_calloc_array(n, sizeof *p->expert_w[k]);
        p->expert_has[k] = qz_calloc_array(n, sizeof *p->expert_has[k]);
        p->expert_view[k] = qz_calloc_array(n, sizeof *p->expert_view[k]);
        ok = p->expert_w[k] && p->expert_has[k] && p->expert_view[k];
    }
    return ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for the statistics of %zu experts", n);
}
static void release_experts(qz_propagate *p) {
    for (size_t x = 0; p->gram && x < p->experts; x++) qz_free(p->gram[x]);
    for (size_t k = 0; k < QZ_LINEARS; k++) {
        for (size_t x = 0; p->expert_w[k] && x < p->experts; x++) qz_free(p->expert_w[k][x]);
        qz_free(p->expert_w[k]);
        qz_free(p->expert_has[k]);
        qz_free(p->expert_view[k]);
    }
    qz_free(p->gram);
    qz_free(p->tokens);
}

static size_t chunk_windows(size_t windows, size_t seq) {
    size_t most = qz_max_size(1, MOST_WINDOWS * 512 / seq);
    return qz_max_size(1, qz_min_size(most, windows / LEAST_CHUNKS));
}

qz_status qz_propagate_open(qz_propagate **out, qz_run *run, const qz_model *m, const qz_tokens *t,
                            const qz_propagate_options *o, qz_error *err) {
    const qz_config *c = &m->config;
    const size_t windows = t->windows, seq_len = t->seq_len;
    qz_propagate *p = *out = qz_calloc_array(1, sizeof *p);
    if (p == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory propagating");
    *p = (qz_propagate){.run = run, .windows = windows, .seq = seq_len, .hidden = c->hidden_size,
                        .chunk = chunk_windows(windows, seq_len),
                        .sequential = o->sequential, .differences = o->differences, .experts = (size_t)c->experts};
    qz_input_widths_of(c, &p->widths);
    QZ_TRY(qz_engine_open(run, m, NULL, &p->e, err));
    if (o->rounds) qz_engine_round_any(p->e);
    QZ_TRY(reserve_experts(p, err));
    size_t tokens = windows * seq_len, n = 0, part = p->chunk * seq_len;
    size_t widest = qz_widest_input(&p->widths), square = 0;
    bool ok = qz_mul_size(tokens, c->hidden_size, &n) && qz_mul_size(widest, widest, &square);
    for (int s = 0; s < STREAMS && ok; s++) {
        p->h[s] = qz_alloc_aligned(n, sizeof(float));
        p->norm[s] = qz_alloc_aligned(part * c->hidden_size, sizeof(float));
        p->input[s] = qz_alloc_aligned(part * widest, sizeof(float));
        p->pair.gram[s] = qz_alloc_aligned(square, sizeof(double));
        p->pair.cross[s] = qz_alloc_aligned(square, sizeof(double));
        p->pair.lost[s] = qz_alloc_aligned(c->hidden_size * widest, sizeof(double));
        if (c->parallel) p->held[s] = qz_alloc_aligned(n, sizeof(float));
        ok = p->h[s] && (p->held[s] || !c->parallel) && p->norm[s] && p->input[s] &&
             p->pair.gram[s] && p->pair.cross[s] && p->pair.lost[s];
    }
    p->out = qz_alloc_aligned(part * c->hidden_size, sizeof(float));
    p->lost = qz_alloc_aligned(part * c->hidden_size, sizeof(float));
    if (!o->sequential && ok) ok = (p->mid = qz_alloc_aligned(n, sizeof(float))) != NULL;
    if (!ok || p->out == NULL || p->lost == NULL)
        return qz_fail(err, QZ_EMEMORY, "out of memory propagating %zu tokens; use fewer --samples", tokens);
    QZ_TRY(qz_engine_embed(p->e, t->ids, tokens, seq_len, p->h[FLOAT], err));
    memcpy(p->h[QUANT], p->h[FLOAT], n * sizeof(float));
    return QZ_OK;
}
_Static_assert((int)STREAMS == (int)QZ_HALVES, "one loop reserves both");

void qz_propagate_free(qz_propagate *p) {
    if (p == NULL) return;
    qz_engine_free(p->e);
    for (int s = 0; s < STREAMS; s++) {
        qz_free(p->h[s]);
        qz_free(p->held[s]);
        qz_free(p->norm[s]);
        qz_free(p->input[s]);
        qz_free(p->pair.gram[s]);
        qz_free(p->pair.cross[s]);
        qz_free(p->pair.lost[s]);
    }
    for (size_t l = 0; l < QZ_LINEARS; l++) qz_free(p->w[l]);
    release_experts(p);
    qz_free(p->mid);
    qz_free(p->out);
    qz_free(p->lost);
    qz_free(p);
}

uint64_t qz_propagate_bytes(const qz_config *c, size_t windows, size_t seq_len) {
    qz_input_widths w;
    qz_input_widths_of(c, &w);
    const uint64_t h = c->hidden_size, widest = qz_widest_input(&w), own = expert_widest(&w),
                   part = chunk_windows(windows, seq_len) * seq_len;
    /* experts: matrices and scores */
    const uint64_t engine = part * 4u * qz_step_floats(c) + c->experts * (8 * own * own + 4 * part);
    return (c->parallel ? 16u : 8u) * (uint64_t)windows * seq_len * h + part * 4u * (4 * h + 2 * widest) +
           32 * widest * widest + 16 * h * widest + engine + 2 * qz_engine_lent_bytes(c, windows, seq_len);
}
