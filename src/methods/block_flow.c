#include "methods/block_flow.h"
#include "base/io.h"
#include "base/size.h"
#include "calibrate/propagate.h"
#include "codecs/types.h"
#include "methods/block_feedback.h"
#include "methods/damping.h"
#include "methods/flow_input.h"
#include "methods/hessian_cache.h"
#include "methods/int_grid.h"
#include <stdio.h>
#include <string.h>

typedef struct { qz_method_tensor t; qz_quantized q; } made;

struct qz_block_flow {
    qz_method_job job;
    qz_mm *mm;
    qz_propagate *tokens;
    qz_input_widths widths;
    bool residual;
    long layer;                  /* whose codes are held, -1: none */
    qz_arena codes;
    made *all; size_t n, room;   /* of that block */
    size_t unseen;               /* of that block: tensors of experts that no token reached */
    char who[96];                /* … and which experts */
    long last_named;
    size_t n_alpha, n_damped, n_plain, n_uncorrected;
    double alpha, least, most;   /* strengths of all n_alpha; damping of the n_damped inputs */
};

qz_status qz_block_flow_open(qz_block_flow **out, const qz_method_job *job, qz_error *err) {
    const qz_method_options *o = job->options;
    qz_block_flow *f = *out = qz_calloc_array(1, sizeof *f);
    if (f == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory encoding");
    *f = (qz_block_flow){.job = *job, .layer = -1, .residual = o->residual && !job->model->config.norms_after};
    qz_input_widths_of(&job->model->config, &f->widths);
    QZ_TRY(qz_mm_open(job->run, &f->mm, err));
    return qz_propagate_open(&f->tokens, job->run, job->model, &job->tokens,
                             &(qz_propagate_options){.sequential = o->sequential, .differences = o->asymmetric}, err);
}

void qz_block_flow_free(qz_block_flow *f) {
    if (f == NULL) return;
    qz_propagate_free(f->tokens);
    qz_mm_free(f->mm);
    qz_arena_release(&f->codes);
    qz_free(f->all);
    qz_free(f);
}

/* ---- an input ---- */
/* The tensors that read it, their weights, and what they are coded under. */
typedef struct {
    long layer, expert;
    const qz_input *in;
    qz_pair_stats *pair;
    qz_method_tensor t[QZ_LINEARS];
    float *w[QZ_LINEARS];
    size_t n;
    qz_flow_input shown;
    double damp;
    qz_hessian h;
    qz_hessian_order order;      /* that h has */
    char why[160];               /* "": there is a matrix, or no token */
} input;

static void release(input *x) {
    for (size_t i = 0; i < x->n; i++) qz_free(x->w[i]);
    qz_flow_input_release(&x->shown);
    qz_hessian_release(&x->h);
}

static qz_status load(const qz_block_flow *f, input *x, qz_error *err) {
    for (size_t l = x->in->first; l < x->in->first + x->in->n; l++) {
        qz_method_tensor *t = &x->t[x->n];
        size_t n;
        if (!f->job.host.linear(f->job.host.ctx, x->layer, l, x->expert, t)) continue;
        if (t->type >= QZ_TYPE_COUNT || qz_block_feedback_group(t->type) == 0) continue;
        if (t->source->n_swaps || t->source->row_from) continue; /* not as the tokens flow through it */
        x->w[x->n] = qz_mul_size(t->rows, t->cols, &n) ? qz_alloc_aligned(n, sizeof(float)) : NULL;
        if (x->w[x->n] == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory encoding '%s'", t->name);
        qz_tensor_decode(t->source, 0, t->rows, x->w[x->n]);
        x->n++;
    }
    return QZ_OK;
}

/* How much the diagonal takes: as asked for, or decided on the tokens of the other half, in about the bits that the
 * first tensor will have. */
static qz_status choose_damping(qz_block_flow *f, input *x, const qz_linear_rows *lin, qz_error *err) {
    const qz_type_info *i = qz_type_get(x->t[0].type);
    const uint32_t bits = (uint32_t)qz_min_size(8, qz_max_size(2, i->bytes * 8 / i->elems));
    const qz_int_grid grid =
        qz_int_grid_of(&(qz_code_setting){.bits = bits, .group_size = x->in->cols % 32 ? QZ_WHOLE_ROW : 32},
                       x->in->cols);
    qz_gptq_options o = {.codes = qz_feedback_default};
    o.codes.grid = &grid.base;
    x->damp = f->job.options->damp > 0 ? f->job.options->damp : QZ_DAMP_USUAL;
    if (f->job.options->damp > 0 || x->shown.asym.cols == 0) return QZ_OK;
    QZ_TRY(qz_damping_choose(&(qz_damping_job){f->job.run, f->mm, lin, x->n, &o}, x->pair, &x->shown.asym, &x->damp,
                             err));
    f->least = f->n_damped == 0 || x->damp < f->least ? x->damp : f->least;
    f->most = x->damp > f->most ? x->damp : f->most;
    f->n_damped++;
    return QZ_OK;
}

static qz_status moments(qz_block_flow *f, input *x, qz_error *err) {
    qz_linear_rows lin[QZ_LINEARS];
    const qz_lambda_fit fit = {f->mm, lin, x->n};
    const bool asymmetric = f->job.options->asymmetric;
    for (size_t i = 0; i < x->n; i++) lin[i] = (qz_linear_rows){x->w[i], x->t[i].rows};
    QZ_TRY(qz_flow_input_open(&x->shown, f->job.run, x->pair,
                              &(qz_flow_ask){x->expert, NULL, asymmetric, f->residual, f->job.options->experts, &fit},
                              err));
    if (x->shown.asym.failed)
        qz_warn(f->job.run, "layer %ld '%s': asymmetric correction could not be computed (%zu of %d parts): %s",
                x->layer, x->t[0].name, x->shown.asym.failed, QZ_HALVES + 1, x->shown.asym.why);
    if (asymmetric && (x->shown.asym.failed || x->expert >= 0)) f->n_uncorrected += x->n;
    return choose_damping(f, x, lin, err);
}

/* The matrix in the order of a type; why says what is not possible. */
static qz_status matrix_for(qz_block_flow *f, input *x, qz_type type, qz_error *err) {
    const qz_hessian_order order = {qz_block_feedback_group(type), qz_block_feedback_point(type)};
    qz_error own = {0};
    if (x->h.h && x->order.group == order.group && x->order.point == order.point) return QZ_OK;
    qz_hessian_release(&x->h);
    x->order = order;
    x->why[0] = 0;
    if (x->shown.gram == NULL) return QZ_OK;
    const qz_hessian_how how = {x->in->cols, order.group, x->damp, QZ_ORDER_GROUPS, order.point};
    const qz_status st = qz_hessian_init(&x->h, f->job.run, x->shown.gram, &how, &own);
    if (st == QZ_ENUMERIC) (void)snprintf(x->why, sizeof x->why, "%.150s", own.text);
    return st == QZ_OK || st == QZ_ENUMERIC ? QZ_OK : qz_fail(err, st, "%s", own.text);
}

/* --strict: no matrix is an error. */
static qz_status refuse_plain(const input *x, const qz_method_tensor *t, qz_error *err) {
    if (x->why[0]) return qz_fail(err, QZ_ENUMERIC, "%s: %s", t->name, x->why);
    return qz_fail(err, QZ_ENUMERIC,
                   "layer %ld expert %ld: no token of the calibration data reached it in the quantized model (tensor "
                   "'%s'); give more or broader data, or leave out --strict",
                   x->layer, x->expert, t->name);
}

/* "3, 17, …", each once: an expert has several inputs. */
static void name_unseen(qz_block_flow *f, long expert) {
    const size_t n = strlen(f->who);
    if (expert <= f->last_named) return;
    f->last_named = expert;
    if (n + 16 < sizeof f->who) (void)snprintf(f->who + n, sizeof f->who - n, "%s%ld", n ? ", " : "", expert);
    else if (n + 4 < sizeof f->who && f->who[n - 1] != '.') (void)snprintf(f->who + n, sizeof f->who - n, "...");
}

static qz_status encode(qz_block_flow *f, input *x, size_t i, made *m, qz_error *err) {
    const qz_method_tensor *t = &x->t[i];
    const float *importance = NULL, *w = x->w[i];
    float *target = NULL;
    double alpha[2] = {0};
    QZ_TRY(f->job.host.importance(f->job.host.ctx, t, &f->codes, &importance, err));
    if (x->h.h == NULL) {
        if (f->job.options->strict) return refuse_plain(x, t, err);
        if (x->why[0]) qz_warn(f->job.run, "%s: encoded without error feedback: %s", t->name, x->why);
        f->unseen += x->shown.gram == NULL;
        if (x->shown.gram == NULL && i == 0) name_unseen(f, x->expert);
        f->n_plain++;
        return qz_block_quantize(
            &(qz_block_job){f->job.run, t->type, w, t->rows, t->cols, importance, f->job.options->search}, &f->codes,
            &m->q, err);
    }
    qz_status st = QZ_OK;
    if (x->shown.asym.cols) {
        target = qz_alloc_array(t->rows * t->cols, sizeof *target);
        st = target ? qz_asymmetric_target(&x->shown.asym, f->mm, w, t->rows, target, alpha, err)
                    : qz_fail(err, QZ_EMEMORY, "out of memory encoding '%s'", t->name);
        f->alpha += alpha[0];
        f->n_alpha++;
    }
    if (st == QZ_OK)
        st = qz_block_feedback(&(qz_block_job){f->job.run, t->type, target ? target : w, t->rows, t->cols, importance,
                                               QZ_SEARCH_BEST},
                               f->mm, &x->h, &f->codes, &m->q, err);
    qz_free(target);
    return st;
}

/* The tokens go on through what was coded: linear by linear where the file has several in one matrix. */
static qz_status hand_on(qz_block_flow *f, const made *m, qz_error *err) {
    const size_t cols = m->q.cols;
    float *w = qz_alloc_array(m->q.rows * cols, sizeof *w);
    qz_status st = w ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for quantized weights");
    if (w) qz_quantized_decode(&m->q, w);
    for (size_t row = 0, l = (size_t)m->t.linear; st == QZ_OK && row < m->q.rows; l++) {
        st = qz_propagate_weights(f->tokens, l, m->t.expert, w + row * cols, err);
        row += qz_block_linear(&f->job.model->blocks[f->layer], l, m->t.expert)->rows;
    }
    qz_free(w);
    return st;
}

static qz_status keep(qz_block_flow *f, const qz_method_tensor *t, made **out, qz_error *err) {
    if (f->n == f->room) {
        const size_t room = f->room ? 2 * f->room : QZ_LINEARS;
        made *more = qz_alloc_array(room, sizeof *more);
        if (more == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory encoding '%s'", t->name);
        if (f->n) memcpy(more, f->all, f->n * sizeof *more);
        qz_free(f->all);
        f->all = more;
        f->room = room;
    }
    *out = &f->all[f->n++];
    **out = (made){.t = *t};
    return QZ_OK;
}

static qz_status code_input(qz_block_flow *f, input *x, qz_error *err) {
    qz_status st = load(f, x, err);
    if (st == QZ_OK && x->n) st = moments(f, x, err);
    const size_t first = f->n;
    for (size_t i = 0; i < x->n && st == QZ_OK; i++) {
        made *m = NULL;
        st = keep(f, &x->t[i], &m, err);
        if (st == QZ_OK) st = matrix_for(f, x, x->t[i].type, err);
        if (st == QZ_OK) st = encode(f, x, i, m, err);
        if (m) m->q.name = x->t[i].name;
    }
    for (size_t i = first; i < f->n && st == QZ_OK; i++) st = hand_on(f, &f->all[i], err);
    release(x);
    return st;
}

/* ---- a block ---- */
static qz_status code_block(qz_block_flow *f, long layer, qz_error *err) {
    const size_t stages = qz_stages(&f->widths, (size_t)layer);
    qz_arena_reset(&f->codes);
    f->n = f->unseen = 0;
    f->who[0] = 0;
    f->last_named = -1;
    f->layer = layer;
    for (size_t e = 0; e < stages; e++) {
        const qz_input in = qz_stage_input(&f->widths, (size_t)layer, e);
        const size_t units = in.expert >= 0 ? (size_t)f->job.model->config.experts : 1;
        qz_pair_stats *p;
        QZ_TRY(qz_propagate_stage(f->tokens, (size_t)layer, e, NULL, &p, err));
        for (size_t u = 0; u < units; u++) {
            input x = {.layer = layer, .expert = in.expert >= 0 ? (long)u : -1, .in = &in, .pair = p};
            QZ_TRY(code_input(f, &x, err));
        }
    }
    if (f->unseen)
        qz_warn(f->job.run,
                "layer %ld: no token of the calibration data reached the experts of %zu tensor%s (%s) in the quantized "
                "model, encoded without error feedback",
                layer, f->unseen, qz_plural(f->unseen), f->who);
    return QZ_OK;
}

qz_status qz_block_flow_get(qz_block_flow *f, const qz_method_tensor *t, const qz_quantized **q, qz_error *err) {
    *q = NULL;
    if (t->layer < 0 || t->linear < 0) return QZ_OK;
    if (t->layer < f->layer)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "--propagate quantized goes through the layers in their order: '%s' stands behind layer %ld in "
                       "the file; give --propagate original",
                       t->name, f->layer);
    /* after a resume the finished blocks are coded again (and not written) */
    for (long l = f->layer + 1; l <= t->layer; l++) QZ_TRY(code_block(f, l, err));
    for (size_t i = 0; i < f->n && *q == NULL; i++)
        if (f->all[i].t.linear == t->linear && f->all[i].t.expert == t->expert) *q = &f->all[i].q;
    return QZ_OK;
}

void qz_block_flow_notes(const qz_block_flow *f, qz_method_notes *out) {
    const size_t n = sizeof out->text;
    out->fallbacks += f->n_plain;
    out->uncorrected += f->n_uncorrected;
    int at = snprintf(out->text, n, "error feedback layer by layer, under what the quantized layers before give");
    if (f->n_alpha && at > 0 && (size_t)at < n)
        at += snprintf(out->text + at, n - (size_t)at, ", asymmetric strength %.2f", f->alpha / (double)f->n_alpha);
    if (f->n_damped && at > 0 && (size_t)at < n)
        at += snprintf(out->text + at, n - (size_t)at, ", damping %g to %g by held-out tokens", f->least, f->most);
    if (f->n_uncorrected && at > 0 && (size_t)at < n)
        (void)snprintf(out->text + at, n - (size_t)at, "; %zu linears without asymmetric correction", f->n_uncorrected);
}

uint64_t qz_block_flow_bytes(const qz_method_sizes *s) {
    /* floats and codes of the block, its quantized weights */
    return qz_propagate_bytes(s->config, s->windows, s->seq_len) + s->block * (4 + 2 + 4) + s->largest * 4 * 2;
}
