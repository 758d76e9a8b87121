/* KL(ours || served) from the likeliest tokens that the server tells, position by position. */
#include "base/size.h"
#include "eval/logprob.h"
#include "pipeline/same_tokens.h"
#include "pipeline/served.h"
#include "remote/top_kl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TOP = 64, OURS = 128, DEFAULT_POSITIONS = 256 };

/* Sums over the positions of a window. */
typedef struct { size_t n; double kl, source, ours, outside, top1, nll, served; } sums;

typedef struct {
    qz_serving *s;
    const uint32_t *ids; size_t n;   /* of the window, as the server has them */
    size_t first, each;              /* targets: so many, spread evenly over first .. n - 1 */
    float *logits, *source;          /* [each, vocab]; source NULL: none */
    json_t *echo;
    size_t *place;                   /* [n] of each token in the echo; SIZE_MAX: not told */
    size_t late;                     /* 1: what is told of a token stands at the one before it */
} window;

/* Texts begin alike (a template): the first positions of each would be one position many times. */
static size_t target(const window *w, size_t k) { return w->first + (2 * k + 1) * (w->n - w->first) / (2 * w->each); }
static size_t vocab(const qz_serving *s) { return (size_t)s->model.model->config.vocab_size; }

static qz_status forward(const window *w, qz_engine *e, float *logits, qz_error *err) {
    qz_kv *kv = NULL;
    uint8_t *want = qz_calloc_array(w->n, 1);
    if (want == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t k = 0; k < w->each; k++) want[target(w, k) - 1] = 1;
    qz_status st = qz_kv_open(e, 1, w->n, &kv, err);
    if (st == QZ_OK)
        st = qz_engine_forward(e, kv, &(qz_batch){.ids = w->ids, .want = want, .n = w->n - 1}, logits, err);
    qz_kv_free(kv);
    qz_free(want);
    return st;
}

/* Our likeliest tokens, largest first. */
static void our_top(const float *logits, size_t n, uint32_t *ids, size_t *count) {
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = *count;
        if (at == OURS && logits[i] <= logits[ids[at - 1]]) continue;
        if (at == OURS) at--;
        else ++*count;
        for (; at && logits[ids[at - 1]] < logits[i]; at--) ids[at] = ids[at - 1];
        ids[at] = (uint32_t)i;
    }
}

/* An echo names tokens by their text: it is that of one of our likeliest, or it counts with what is not told. */
static qz_status by_text(const window *w, const json_t *told, const float *logits, qz_served_token *top, size_t *n,
                         qz_error *err) {
    uint32_t ids[OURS];
    size_t count;
    qz_str text = {0};
    qz_status st = QZ_OK;
    *n = 0;
    our_top(logits, vocab(w->s), ids, &count);
    for (size_t i = 0; i < count && st == QZ_OK && *n < TOP; i++) {
        qz_str_clear(&text);
        st = qz_tokenizer_decode(w->s->model.tokenizer, &ids[i], 1, false, &text, err);
        const json_t *p = st == QZ_OK && text.len ? json_object_get(told, text.ptr) : NULL;
        if (json_is_number(p) && json_number_value(p) <= 1e-3)
            top[(*n)++] = (qz_served_token){ids[i], fmin(0, json_number_value(p))};
    }
    qz_str_release(&text);
    return st;
}

/* Of the first token nothing is told, and of one that an echo leaves out. */
static bool is_told(const window *w, size_t k) {
    const size_t t = target(w, k);
    return w->echo == NULL || (t > w->late && w->place[t - w->late] != SIZE_MAX && w->place[t - w->late] > 0);
}

static qz_status told_at(const window *w, size_t t, const float *logits, qz_served_token *top, size_t *n,
                         qz_error *err) {
    if (w->echo)
        return by_text(w, json_array_get(json_object_get(w->echo, "top_logprobs"), w->place[t - w->late]), logits,
                       top, n, err);
    QZ_TRY(qz_openai_next(&w->s->at, &(qz_served_ids){w->ids, t}, top, TOP, n, err));
    for (size_t i = 0; i < *n; i++)
        if (top[i].id >= vocab(w->s))
            return qz_fail(err, QZ_EUSAGE, "the server serves another model than '%s': it tells of token %u, the "
                                           "vocabulary has %zu", w->s->r->operands[0], top[i].id, vocab(w->s));
    return QZ_OK;
}

static qz_status position(const window *w, size_t at, sums *x, qz_error *err) {
    qz_served_token top[TOP];
    size_t n, v = vocab(w->s), t = target(w, at);
    const qz_mm *mm = qz_engine_mm(w->s->engine);
    const float *logits = w->logits + at * v, *source = w->source ? w->source + at * v : NULL;
    uint32_t best, source_best;
    const double lse = qz_log_sum_exp(mm, logits, v, &best);
    QZ_TRY(told_at(w, t, logits, top, &n, err));
    const qz_top_kl k = qz_top_kl_of(logits, lse, top, n, best);
    x->n++;
    x->kl += k.kl;
    x->outside += k.outside;
    x->top1 += k.same_top;
    x->nll += lse - (double)logits[w->ids[t]];
    const json_t *p = w->echo && !w->late ? json_array_get(json_object_get(w->echo, "token_logprobs"), w->place[t])
                                        : NULL;
    if (w->echo && !w->late && !json_is_number(p))
        return qz_fail(err, QZ_EFORMAT, "reply of the server to /v1/completions: token_logprobs[%zu]: expected a "
                                        "number, found %s", t, qz_json_kind(p));
    x->served -= json_number_value(p);
    if (source == NULL) return QZ_OK;
    const double slse = qz_log_sum_exp(mm, source, v, &source_best);
    x->source += qz_top_kl_of(source, slse, top, n, source_best).kl;
    x->ours += qz_kl_row(mm, source, slse, logits, lse, v);
    return QZ_OK;
}

/* Is what the echo calls a token the text of ours? Parts of characters and special tokens have none of their own
 * there. */
static qz_status same_text(const window *w, uint32_t id, const char *theirs, qz_str *piece, bool *same, qz_error *err) {
    *same = theirs == NULL || *theirs == 0 || strstr(theirs, "\xef\xbf\xbd") != NULL;
    if (*same) return QZ_OK;
    qz_str_clear(piece);
    QZ_TRY(qz_tokenizer_decode(w->s->model.tokenizer, &id, 1, false, piece, err));
    *same = piece->len == 0 || strcmp(piece->ptr, theirs) == 0 || strcmp(piece->ptr + (*piece->ptr == ' '),
                                                                         theirs) == 0;
    return QZ_OK;
}

/* Where each of our tokens stands in the echo. llama-cpp-python 0.3.36 leaves out every token that has the id of
 * its BOS (of a model without one: id 11, whatever that is), and the last one where the answer is empty: what is left
 * out is of one id, and all of that id. */
static qz_status align(window *w, const qz_ids *ids, qz_error *err) {
    const json_t *tokens = json_object_get(w->echo, "tokens");
    const size_t m = json_array_size(tokens);
    int64_t gone = -1;
    qz_str piece = {0};
    qz_status st = QZ_OK;
    w->place = qz_alloc_array(ids->n, sizeof *w->place);
    if (w->place == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0, j = 0; i < ids->n && st == QZ_OK; i++) {
        const char *theirs = json_string_value(json_array_get(tokens, j));
        bool same = false;
        if (j < m && gone != (int64_t)ids->ids[i]) st = same_text(w, ids->ids[i], theirs, &piece, &same, err);
        w->place[i] = same ? j++ : SIZE_MAX;
        if (st != QZ_OK || same) continue;
        w->s->out.not_told++;
        if (j < m && gone < 0) gone = (int64_t)ids->ids[i];
        if (gone != (int64_t)ids->ids[i] && (j < m || i + 1 < ids->n))
            st = qz_fail(err, QZ_EUSAGE, "the server cuts text into other tokens than '%s': token %zu is '%.40s', "
                                         "expected '%.40s'", w->s->r->operands[0], i, theirs ? theirs : "not there",
                         piece.ptr ? piece.ptr : "");
    }
    qz_str_release(&piece);
    return st;
}

/* The text of a window as the server would be given it, its ids by our tokenizer, and the echo, which must have the
 * same tokens. */
static qz_status echo(window *w, qz_ids *again, qz_error *err) {
    const qz_tokenizer *t = w->s->model.tokenizer;
    qz_str text = {0};
    const size_t bos = w->n && qz_tokenizer_bos(t) == (int64_t)w->ids[0]; /* the server adds it */
    qz_status st = qz_tokenizer_decode(t, w->ids + bos, w->n - bos, false, &text, err);
    qz_str_putc(&text, 0);
    if (st == QZ_OK)
        st = qz_tokenizer_encode(t, text.ptr, strlen(text.ptr), QZ_ENCODE_PARSE_SPECIAL | QZ_ENCODE_SPECIAL, again,
                                 err);
    if (st == QZ_OK) st = qz_openai_echo(&w->s->at, text.ptr, TOP, &w->echo, err);
    if (st == QZ_OK) st = align(w, again, err);
    w->ids = again->ids;
    w->n = again->n;
    qz_str_release(&text);
    return st;
}

/* llama-cpp-python 0.3.36 tells of a token what follows it: its rows are one place late. Which of the two a server does
 * is what lies nearer to our run on the first window; it is said, and goes into the journal. */
static qz_status settle_late(window *w, qz_error *err) {
    qz_serving *s = w->s;
    const char *left = qz_serving_done(s, 'e', 0);
    if (left && s->late < 0) s->late = *left == '1';
    if (s->late < 0) {
        sums x[2] = {{0}, {0}};
        for (w->late = 0; w->late < 2; w->late++)
            for (size_t k = 0; k < w->each; k++)
                if (is_told(w, k)) QZ_TRY(position(w, k, &x[w->late], err));
        s->late = x[1].kl + x[1].outside < x[0].kl + x[0].outside; /* what is not told is no agreement */
        if (s->journal.fd >= 0) QZ_TRY(qz_journal_add(&s->journal, err, "e 0 %d", s->late));
        if (s->late)
            qz_warn(s->run, "the server's echo is one place late (top_logprobs of a token are those of the next "
                            "one): it is read so, and its token_logprobs are not used");
    }
    w->late = (size_t)s->late;
    return QZ_OK;
}

static qz_status one_window(window *w, sums *x, qz_error *err) {
    qz_ids again = {0};
    qz_status st = w->s->at.kind == QZ_SERVED_ECHO ? echo(w, &again, err) : QZ_OK;
    const size_t rows = w->each = st == QZ_OK && w->n > w->first ? qz_min_size(w->each, w->n - w->first) : 0;
    w->logits = qz_alloc_array(rows * vocab(w->s) + 1, sizeof(float));
    w->source = w->s->source_engine ? qz_alloc_array(rows * vocab(w->s) + 1, sizeof(float)) : NULL;
    if (st == QZ_OK && (!w->logits || (w->s->source_engine && !w->source)))
        st = qz_fail(err, QZ_EMEMORY, "out of memory for the logits of %zu positions", rows);
    if (st == QZ_OK && rows) st = forward(w, w->s->engine, w->logits, err);
    if (st == QZ_OK && rows && w->source) st = forward(w, w->s->source_engine, w->source, err);
    if (st == QZ_OK && rows && w->echo) st = settle_late(w, err);
    for (size_t k = 0; st == QZ_OK && k < rows; k++) st = is_told(w, k) ? position(w, k, x, err) : QZ_OK;
    json_decref(w->echo);
    qz_free(w->place);
    qz_free(w->logits);
    qz_free(w->source);
    qz_ids_release(&again);
    return st;
}

static qz_status window_of(qz_serving *s, const qz_eval_set *set, size_t i, size_t each, sums *x, qz_error *err) {
    const qz_eval_window *v = &set->windows[i];
    const char *left = qz_serving_done(s, 'w', i);
    if (left && sscanf(left, "%zu %la %la %la %la %la %la %la", &x->n, &x->kl, &x->source, &x->ours, &x->outside,
                       &x->top1, &x->nll, &x->served) == 8) {
        s->out.resumed++;
        return QZ_OK;
    }
    window w = {.s = s, .ids = v->ids, .n = v->n, .first = v->first, .each = each};
    QZ_TRY(one_window(&w, x, err));
    if (s->journal.fd < 0) return QZ_OK;
    return qz_journal_add(&s->journal, err, "w %zu %zu %a %a %a %a %a %a %a", i, x->n, x->kl, x->source, x->ours,
                          x->outside, x->top1, x->nll, x->served);
}

/* Mean over positions; its interval over windows, whose sums are the units. */
static void sum_up(qz_served *o, const sums *all, size_t n) {
    sums t = {0};
    double square = 0;
    for (size_t i = 0; i < n; i++) {
        t.n += all[i].n;
        t.kl += all[i].kl, t.source += all[i].source, t.ours += all[i].ours, t.outside += all[i].outside;
        t.top1 += all[i].top1, t.nll += all[i].nll, t.served += all[i].served;
    }
    const double k = (double)t.n;
    o->positions = t.n;
    o->windows = n;
    o->kl = t.kl / k;
    for (size_t i = 0; i < n; i++) square += pow(all[i].kl - o->kl * (double)all[i].n, 2);
    const double se = n > 1 ? sqrt(square * (double)n / (double)(n - 1)) / k : NAN;
    o->kl_low = fmax(0, o->kl - 1.96 * se);
    o->kl_high = o->kl + 1.96 * se;
    o->outside = t.outside / k;
    o->top1 = 100 * t.top1 / k;
    o->kl_source = t.source / k;
    o->kl_ours = t.ours / k;
    o->nll_ours = t.nll / k;
    o->nll_served = t.served / k;
}

static qz_status windows(qz_serving *s, const qz_eval_set *set, qz_error *err) {
    const size_t most = s->r->positions ? (size_t)s->r->positions : DEFAULT_POSITIONS,
                 each = qz_max_size(1, (most + set->n - 1) / set->n), n = qz_min_size(set->n, most);
    sums *all = qz_calloc_array(n, sizeof *all);
    if (all == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status st = QZ_OK;
    qz_progress_begin(s->run);
    for (size_t i = 0; i < n && st == QZ_OK; i++) {
        st = window_of(s, set, i, each, &all[i], err);
        qz_progress_step(s->run, "served text", i + 1, n, "windows");
    }
    qz_progress_end(s->run);
    s->out.top = TOP;
    s->out.against = s->source_engine != NULL;
    s->out.has_nll = s->at.kind == QZ_SERVED_ECHO && s->late == 0;
    s->out.late = s->late == 1;
    if (st == QZ_OK) sum_up(&s->out, all, n);
    if (st == QZ_OK && s->out.positions == 0)
        st = qz_fail(err, QZ_EUSAGE, "nothing to measure: file '%s' gives no position", s->r->text);
    qz_free(all);
    return st;
}

qz_status qz_serving_text(qz_serving *s, qz_error *err) {
    qz_dataset d = {0};
    qz_eval_set set = {0};
    if (s->at.kind != QZ_SERVED_IDS && s->at.kind != QZ_SERVED_ECHO)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "the server at '%s' has %s: --text cannot be measured with it; give --tasks alone, or start it "
                       "with log-probabilities (llama-cpp-python: --logits_all true)",
                       qz_http_url(s->at.http), qz_served_kind_name(s->at.kind));
    qz_status st = qz_dataset_load(s->r->text, s->model.tokenizer, &(qz_dataset_options){0}, &d, err);
    const qz_eval_options o = qz_eval_asked(s->r, &s->model);
    if (st == QZ_OK) st = qz_eval_set_build(s->model.tokenizer, &d, &o, &set, err);
    if (st == QZ_OK && s->source.model) st = qz_same_tokens(&s->source, &s->model, &d, &o, &set, err);
    if (st == QZ_OK) st = windows(s, &set, err);
    if (st == QZ_OK) {
        memcpy(s->out.set, set.describe, sizeof s->out.set);
        memcpy(s->out.token_hash, set.token_hash, sizeof s->out.token_hash);
    }
    qz_eval_set_release(&set);
    qz_dataset_release(&d);
    return st;
}
