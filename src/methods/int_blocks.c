/* Codes of any grid (grid.h: integer groups, FP8, FP4) a decoder block at a time, as the writer asks for its tensors:
 * float weights of one block are resident, the results live until the next block is asked for.
 * AWQ compat replays blocks as the reference's scale search does. Everything else goes: scales folded (AWQ's idea; best
 * only), then the inputs of a block (model/sites.h) in order, each linear by methods/gptq.h under the Gram matrix of
 * its input: of the float model (--propagate original) or of the model quantized so far (--propagate quantized, then
 * also asymmetric calibration in best).
 * Of a layer with experts the mixer goes so, then stage by stage each expert's linears under the Gram matrix of its own
 * tokens; one that no token reached is rounded to nearest. Scales fold inside an expert; the norm that all experts and
 * the router read stays as it is, and experts have no asymmetric correction (the float model sends other tokens to
 * them). */
#include "base/size.h"
#include "calibrate/experts.h"
#include "methods/expert_gram.h"
#include "calibrate/propagate.h"
#include "calibrate/replay.h"
#include "codecs/int_group.h"
#include "codecs/round_float.h"
#include "methods/asymmetric.h"
#include "methods/awq_compat.h"
#include "methods/damping.h"
#include "methods/flow_input.h"
#include "methods/gptq.h"
#include "methods/grid.h"
#include "methods/int_blocks_memory.h"
#include "methods/method_rows.h"
#include "methods/norm_refit.h"
#include "methods/site_progress.h"
#include "methods/smooth.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Linears that are coded together: those of a block itself, or of one expert. */
typedef struct {
    long expert;                         /* -1: the block itself */
    qz_awq_block block;
    qz_code_setting setting[QZ_STAGES];   /* the linears of an input agree */
    float *scales[QZ_STAGES];            /* of the input's columns */
    const char *name[QZ_LINEARS];        /* of the tensors */
    qz_quantized lin[QZ_LINEARS];
} qz_int_unit;

typedef struct {
    qz_method_job job;
    qz_run *run;
    const qz_model *model;
    const qz_stats *stats;               /* NULL: none (compat) */
    qz_mm *mm;
    qz_method_options o;
    qz_awq_options awq;
    qz_gptq_options gptq;
    qz_replay *replay;                   /* AWQ's own search; else NULL */
    qz_propagate *flow;
    long layer;                          /* whose results are held, -1: none */
    qz_arena weights, results;
    qz_int_unit self, *experts;          /* experts [config.experts], NULL: the layer has none */
    bool folded_any;
    qz_folded scaled_linear;             /* one that stays float, for the tensor at hand */
    qz_quantized head;
    qz_folded folded[2 * QZ_STAGES + QZ_LINEARS]; /* norms, then biases */
    size_t n_folded, n_blocks, n_fallbacks;
    size_t n_uncorrected, n_norms_kept;  /* not computable: linears without asymmetric correction, norms as they were */
    size_t n_unseen, n_shared;           /* experts that no token reached; norms kept since a router reads them too */
    double plain, scaled, final_error, damping, alpha;
    double fold_energy, final_energy;    /* what plain and scaled, and final_error, are shares of */
    size_t n_alpha, n_damped;
    double least_damp, most_damp;        /* of the n_damped inputs where it was decided */
    qz_method_result found;              /* for the tensor at hand */
} qz_int_blocks;

static qz_status replayable(const qz_model *m, qz_error *err) {
    if (m->config.stream_ffn)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "AWQ's --search compat replays a feed-forward from its norm: model '%s' has one that reads the "
                       "stream itself; use --search best",
                       m->path);
    if (m->config.experts == 0) return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "AWQ's --search compat replays dense blocks: model '%s' has %llu experts in a layer; use --search "
                   "best",
                   m->path, (unsigned long long)m->config.experts);
}

/* Inputs that become integers: scales folded are SmoothQuant's. */
static bool smooths(const qz_code_setting *x) {
    return x->inputs && x->inputs->element == QZ_ELEMENT_INT && x->element == QZ_ELEMENT_INT;
}

/* Options as the coder takes them. */
static void set_codes(qz_int_blocks *a) {
    const qz_method_options *o = &a->o;
    const qz_code_setting *usual = &a->job.usual;
    const bool compat = o->search == QZ_SEARCH_COMPAT;
    a->awq.codes = *usual;
    a->awq.no_clip = o->no_clip;
    a->gptq = (qz_gptq_options){.codes = qz_feedback_default, .damp = o->damp, .strict = o->strict,
                                .natural = !o->order};
    a->gptq.codes.reference = compat;
    if (!o->descent) a->gptq.codes.sweeps = 0;
    if (!o->refit) a->gptq.codes.rounds = o->descent ? 1 : 0;
    a->gptq.codes.no_refit = !o->refit;
    a->gptq.codes.mse_norm = o->mse_norm;
    /* what a sub-module adds passes a norm: not the sum that the correction counts on */
    a->o.residual = o->residual && !a->model->config.norms_after;
    if (usual->group_size == QZ_WHOLE_ROW && !smooths(usual)) a->o.fold = false; /* the scale search takes groups */
}

/* replay: AWQ's own search, which runs blocks again. */
static qz_status open_with(const qz_method_job *job, bool replay, void **out, qz_error *err) {
    qz_int_blocks *a = *out = qz_calloc_array(1, sizeof *a);
    if (a == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory coding blocks");
    *a = (qz_int_blocks){.job = *job, .run = job->run, .model = job->model, .stats = job->stats, .o = *job->options,
                         .layer = -1};
    set_codes(a);
    QZ_TRY(qz_mm_open(a->run, &a->mm, err));
    if ((replay || a->o.propagate) && job->tokens.ids == NULL)
        return qz_fail(err, QZ_EUSAGE,
                       "%s needs the calibration tokens: give them with --calib (statistics are not enough)",
                       replay ? "AWQ's --search compat" : "--propagate quantized");
    if (replay) return qz_replay_open(&a->replay, a->run, a->model, &job->tokens, err);
    if (a->stats != NULL) QZ_TRY(qz_stats_check(a->stats, a->model, err));
    else if (!a->o.propagate || a->o.fold)
        return qz_fail(err, QZ_EUSAGE, "%s needs calibration: give --calib FILE or --stats FILE", job->scheme);
    if (!a->o.propagate) return QZ_OK;
    const qz_propagate_options flow = {.sequential = a->o.sequential, .differences = a->o.asymmetric || a->o.norms,
                                        .rounds = a->o.inputs && !a->o.fold};
    return qz_propagate_open(&a->flow, a->run, a->model, &job->tokens, &flow, err);
}
static qz_status open_replay(const qz_method_job *job, void **out, qz_error *err) {
    return open_with(job, true, out, err);
}
static qz_status open_solver(const qz_method_job *job, void **out, qz_error *err) {
    return open_with(job, false, out, err);
}

static qz_status float_copy(qz_int_blocks *a, const qz_tensor_view *t, float **out, qz_error *err) {
    size_t n;
    *out = NULL;
    if (t == NULL) return QZ_OK;
    if (qz_mul_size(t->rows, t->cols, &n)) *out = qz_arena_alloc(&a->weights, n, sizeof(float));
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for '%s'", t->name);
    qz_tensor_decode(t, 0, t->rows, *out);
    return QZ_OK;
}

/* Gains as they multiply; what is written goes back to what the family stores. */
static qz_status norm_copy(qz_int_blocks *a, const qz_tensor_view *t, float **out, qz_error *err) {
    QZ_TRY(float_copy(a, t, out, err));
    for (size_t k = 0; a->model->config.norm_plus_one && k < t->cols; k++) (*out)[k] += 1;
    return QZ_OK;
}

static void add_folded(qz_int_blocks *a, const qz_tensor_view *t, const float *data) {
    if (t != NULL)
        a->folded[a->n_folded++] = (qz_folded){.name = t->name, .rows = t->rows, .cols = t->cols, .data = data};
}

static bool has_input(const qz_int_unit *u, size_t i) { return u->block.input[i].n > 0; }

/* Floats of a unit's linears and biases, settings of its inputs, scales of 1. */
static qz_status load_unit(qz_int_blocks *a, qz_int_unit *u, long layer, long expert, qz_error *err) {
    const qz_block *src = &a->model->blocks[layer];
    *u = (qz_int_unit){.expert = expert};
    qz_awq_block_describe(&u->block, &a->model->config, (size_t)layer, expert);
    u->block.floats = a->job.floats;
    for (size_t i = 0; i < QZ_STAGES; i++) {
        const qz_awq_input *in = &u->block.input[i];
        for (size_t l = in->first; l < in->first + in->n; l++) {
            const qz_tensor_view *t = qz_block_linear(src, l, expert);
            QZ_TRY(float_copy(a, t, &u->block.linear[l].w, err));
            u->name[l] = t->name;
        }
        if (in->n == 0) continue;
        QZ_TRY(a->job.host.setting(a->job.host.ctx, u->name[in->first], &u->setting[i], err));
        u->scales[i] = qz_arena_alloc(&a->weights, in->cols, sizeof(float));
        if (u->scales[i] == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for scales");
        for (size_t k = 0; k < in->cols; k++) u->scales[i][k] = 1;
    }
    return QZ_OK;
}

/* What folding and refitting may change besides the linears. */
static qz_status load_vectors(qz_int_blocks *a, const qz_block *src, qz_error *err) {
    for (qz_awq_input *in = a->self.block.input; in < a->self.block.input + QZ_STAGES; in++) {
        if (in->fold.kind != QZ_FOLD_NORM) continue;
        QZ_TRY(norm_copy(a, src->norm[in->fold.norm], &in->norm, err));
        QZ_TRY(float_copy(a, src->norm_bias[in->fold.norm], &in->norm_bias, err));
        add_folded(a, src->norm[in->fold.norm], in->norm);
        add_folded(a, src->norm_bias[in->fold.norm], in->norm_bias);
    }
    for (size_t l = 0; l < QZ_LINEARS; l++) {
        QZ_TRY(float_copy(a, src->bias[l], &a->self.block.linear[l].bias, err));
        add_folded(a, src->bias[l], a->self.block.linear[l].bias);
    }
    return QZ_OK;
}

static qz_status load_block(qz_int_blocks *a, long layer, qz_error *err) {
    const size_t n = a->model->blocks[layer].router ? (size_t)a->model->config.experts : 0;
    qz_arena_reset(&a->weights);
    qz_arena_reset(&a->results);
    a->layer = -1;
    a->n_folded = 0;
    a->folded_any = false;
    a->experts = NULL;
    QZ_TRY(load_unit(a, &a->self, layer, -1, err));
    QZ_TRY(load_vectors(a, &a->model->blocks[layer], err));
    if (n == 0) return QZ_OK;
    a->experts = qz_arena_calloc(&a->weights, n, sizeof *a->experts);
    if (a->experts == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for experts");
    for (size_t x = 0; x < n; x++) QZ_TRY(load_unit(a, &a->experts[x], layer, (long)x, err));
    return QZ_OK;
}

/* Options of linears of `cols` columns with these settings, their largest value amax; their grid in *grid. */
static qz_status gptq_with(const qz_int_blocks *a, const qz_code_setting *x, size_t cols, float amax, qz_any_grid *grid,
                           qz_gptq_options *o, qz_error *err) {
    *o = a->gptq;
    o->codes.grid = qz_grid_of(x, cols, amax, grid);
    if (o->codes.grid == NULL) return qz_fail(err, QZ_EBUG, "codes of %u bits have no grid to search", x->bits);
    if (x->element == QZ_ELEMENT_INT) grid->ints.positive = !a->o.sign;
    o->act_order = x->act_order;
    o->static_groups = x->static_groups && x->act_order;
    return QZ_OK;
}

/* Largest magnitude of an input's linears: engines merge them, so they share the scale of a tensor. */
static float input_amax(const qz_int_unit *u, size_t e) {
    const qz_awq_input *in = &u->block.input[e];
    float most = 0;
    if (u->setting[e].scale < QZ_SCALE_E4M3 && u->setting[e].block_rows != QZ_ALL_ROWS) return 0;
    for (size_t l = in->first; l < in->first + in->n; l++) {
        const qz_awq_linear *x = &u->block.linear[l];
        for (size_t i = 0; i < x->rows * x->cols; i++) most = fabsf(x->w[i]) > most ? fabsf(x->w[i]) : most;
    }
    return most;
}

/* Scales fold into what an input's linears read and multiply their columns: where either side is kept or not the
 * unit's own (the norm before experts, which the router reads too), or has a range for a whole row: none. */
static bool fold_grids(const qz_int_unit *u, qz_awq_grid grids[QZ_STAGES]) {
    bool any = false;
    for (size_t i = 0; i < QZ_STAGES; i++) {
        const qz_code_setting *x = &u->setting[i];
        const qz_fold *f = &u->block.input[i].fold;
        const bool before = f->kind == QZ_FOLD_ROWS && u->setting[u->block.linear[f->linear].stage].keep;
        const bool whole = x->group_size == QZ_WHOLE_ROW, smooth = smooths(x),
                   off = x->keep || before || (whole && !smooth) || x->element != QZ_ELEMENT_INT || !has_input(u, i);
        grids[i] = (qz_awq_grid){.bits = x->bits, .group = qz_group_columns(x->group_size, u->block.input[i].cols),
                                 .sym = x->sym, .off = off, /* the search rounds integers */
                                 .fixed = f->kind == QZ_FOLD_SHARED || f->kind == QZ_FOLD_NONE};
        any |= !grids[i].off;
    }
    return any;
}

/* Statistics of what a unit's linears read at a stage. */
static size_t input_of(const qz_int_blocks *a, const qz_int_unit *u, long layer, size_t i) {
    return qz_input_of(&a->stats->info.in, (size_t)layer, u->block.input[i].first, u->expert);
}
static qz_input_stats stats_of(const qz_int_blocks *a, const qz_int_unit *u, long layer, size_t i) {
    return qz_stats_get(a->stats, (size_t)layer, input_of(a, u, layer, i));
}

static qz_status fold(qz_int_blocks *a, qz_int_unit *u, long layer, qz_error *err) {
    qz_input_stats stats[QZ_STAGES] = {0};
    qz_awq_report rep;
    qz_awq_grid grids[QZ_STAGES];
    qz_awq_options awq = a->awq;
    if (!a->o.fold || !fold_grids(u, grids)) return QZ_OK;
    awq.grids = grids;
    awq.stats = stats;
    for (size_t i = 0; i < QZ_STAGES; i++) {
        if (!has_input(u, i)) continue;
        stats[i] = stats_of(a, u, layer, i);
        if (stats[i].tokens == 0) return QZ_OK; /* an expert that no token reached */
    }
    const qz_code_setting *usual = &a->job.usual;
    const qz_smooth_options smooth = {.inputs = usual->inputs, .grids = grids, .stats = stats};
    QZ_TRY(smooths(usual) ? qz_smooth_block_scales(a->run, a->mm, &u->block, &smooth, u->scales, &rep, err)
                             : qz_awq_block_scales(a->run, a->mm, &u->block, &awq, u->scales, &rep, err));
    for (size_t i = 0; i < QZ_STAGES; i++) {
        a->plain += rep.plain[i];
        a->scaled += rep.scaled[i];
        a->fold_energy += rep.energy[i];
        a->folded_any = a->folded_any || (u->expert < 0 && !grids[i].off && rep.ratio[i] >= 0);
    }
    return QZ_OK;
}

static bool takes_rows(const qz_fold *f, size_t linear) { return f->kind == QZ_FOLD_ROWS && f->linear == linear; }

/* What the artifact's linear computes on the unscaled input: columns by 1/s, rows by what was folded out of them. */
static qz_status hand_on(qz_int_blocks *a, qz_int_unit *u, size_t l, size_t i, qz_error *err) {
    const qz_quantized *q = &u->lin[l];
    float *w = qz_alloc_array(q->rows * q->cols, sizeof *w);
    if (w == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for quantized weights");
    size_t after = 0; /* the input that its rows make */
    while (after < QZ_STAGES && !(has_input(u, after) && takes_rows(&u->block.input[after].fold, l))) after++;
    qz_quantized_decode(q, w);
    for (size_t r = 0; r < q->rows; r++) {
        float back = after < QZ_STAGES ? u->scales[after][qz_fold_column(&u->block.input[after].fold, r)] : 1;
        for (size_t k = 0; k < q->cols; k++) w[r * q->cols + k] *= back / u->scales[i][k];
    }
    qz_status st = qz_propagate_weights(a->flow, l, u->expert, w, err);
    qz_free(w);
    return st;
}

/* What an input shows of its linears: its moments and the asymmetric part, how much the diagonal takes; and the grid of
 * the codes to be. */
typedef struct { qz_pair_stats *pair; qz_flow_input in; double damp; float amax; qz_any_grid grid; } shown;

static qz_site_at at_of(const qz_int_blocks *a, long layer, long expert) {
    return (qz_site_at){a->job.scheme, (size_t)layer, a->model->config.layers, &a->self.block,
                        a->experts ? &a->experts->block : NULL, a->experts ? (size_t)a->model->config.experts : 0,
                        expert};
}

/* Linears of the input. */
static size_t rows_of(const qz_int_unit *u, size_t e, qz_linear_rows lin[QZ_LINEARS]) {
    const qz_awq_input *in = &u->block.input[e];
    for (size_t i = 0; i < in->n; i++)
        lin[i] = (qz_linear_rows){u->block.linear[in->first + i].w, u->block.linear[in->first + i].rows};
    return in->n;
}

/* Gram matrix of the scaled input (NULL: no token reached this expert); where the tokens flow through the quantized
 * model (p) also E[x̃ xᵀ] (else NULL) and the asymmetric part. */
static qz_status moments(qz_int_blocks *a, const qz_int_unit *u, long layer, size_t e, shown *x, qz_error *err) {
    if (x->pair) {
        qz_linear_rows lin[QZ_LINEARS];
        const qz_lambda_fit fit = {a->mm, lin, rows_of(u, e, lin)};
        return qz_flow_input_open(&x->in, a->run, x->pair,
                                  &(qz_flow_ask){u->expert, u->scales[e], a->o.asymmetric, a->o.residual,
                                                 a->o.experts, &fit}, err);
    }
    return qz_expert_gram_scaled(a->stats, &(qz_expert_ask){(size_t)layer, input_of(a, u, layer, e), a->o.experts,
                                                            u->scales[e]}, &x->in.gram, err);
}

static qz_status code_linear(qz_int_blocks *a, qz_int_unit *u, qz_gptq *g, const qz_asymmetric *asym, size_t l,
                             qz_error *err) {
    const float *w = u->block.linear[l].w;
    size_t rows = u->block.linear[l].rows;
    float *target = NULL;
    qz_status st = QZ_OK;
    if (asym->cols) {
        double alpha[2] = {0};
        target = qz_alloc_array(rows * asym->cols, sizeof *target);
        st = target ? qz_asymmetric_target(asym, a->mm, w, rows, target, alpha, err)
                    : qz_fail(err, QZ_EMEMORY, "out of memory");
        a->alpha += alpha[0];
        a->n_alpha++;
    }
    if (st == QZ_OK) st = qz_gptq_quantize(g, a->mm, target ? target : w, rows, &a->results, &u->lin[l], err);
    u->lin[l].name = u->name[l];
    u->lin[l].input_scales = a->o.fold ? u->scales[u->block.linear[l].stage] : NULL;
    a->final_error += u->lin[l].error;
    a->final_energy += u->lin[l].energy;
    qz_free(target);
    return st;
}

/* With the codes of a norm's linears fixed, its gains once more: into the folded norm, and out of what the columns
 * were scaled by. */
static qz_status refit_norm(qz_int_blocks *a, long layer, size_t e, const double *gram, const double *cross,
                            qz_error *err) {
    const qz_awq_input *in = &a->self.block.input[e];
    size_t cols = in->cols;
    float *norm = in->norm, *gain = qz_alloc_array(cols, sizeof *gain), *q = NULL;
    qz_norm_refit fit = {0};
    qz_status st = gain ? qz_norm_refit_open(&fit, gram, cross, cols, err)
                        : qz_fail(err, QZ_EMEMORY, "out of memory refitting norms");
    for (size_t l = in->first; l < in->first + in->n && st == QZ_OK; l++) {
        size_t rows = a->self.block.linear[l].rows;
        q = qz_alloc_array(rows * cols, sizeof *q);
        if (q) qz_quantized_decode(&a->self.lin[l], q);
        st = q ? qz_norm_refit_add(&fit, a->mm, a->self.block.linear[l].w, q, rows, err)
            : qz_fail(err, QZ_EMEMORY, "out of memory refitting norms");
        qz_free(q);
    }
    if (st == QZ_OK) st = qz_norm_refit_solve(&fit, a->run, 0.01, gain, err);
    if (st == QZ_OK && fit.why) {
        qz_warn(a->run, "layer %ld %s: gains of the norm before it are not refitted: %s", layer,
                a->self.block.linear[in->first].name, fit.why);
        a->n_norms_kept++;
    }
    for (size_t k = 0; k < cols && st == QZ_OK; k++) { /* as the file holds it */
        float f = qz_round_float(a->job.floats, norm[k] * gain[k]);
        if (norm[k] == 0 || f == 0) continue;
        a->self.scales[e][k] *= norm[k] / f;
        if (in->norm_bias) in->norm_bias[k] = qz_round_float(a->job.floats, in->norm_bias[k] * (f / norm[k]));
        norm[k] = f;
        a->folded_any = true;
    }
    qz_norm_refit_release(&fit);
    qz_free(gain);
    return st;
}

static const char *where(const qz_int_unit *u, size_t e, char buf[64]) { /* "mlp.gate_proj", "expert 3 mlp.gate_proj" */
    const char *name = u->block.linear[u->block.input[e].first].name;
    if (u->expert < 0) return name;
    (void)snprintf(buf, 64, "expert %ld %s", u->expert, name);
    return buf;
}

/* Float statistics: on the tokens that they keep, of the scaled input. */
static qz_status damping_of_stats(const qz_input_stats *s, const float *scales, shown *x, const qz_damping_job *job,
                                  qz_error *err) {
    float *held = qz_stats_held(s, scales);
    if (held == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory choosing the damping of %zu columns", s->cols);
    const qz_damping_tokens t = {x->in.gram, s->tokens, held, s->n_held, s->cols};
    qz_status st = qz_damping_held(job, &t, &x->damp, err);
    qz_free(held);
    return st;
}

/* As asked for, or decided on held-out tokens where there are some. */
static qz_status choose_damping(qz_int_blocks *a, const qz_int_unit *u, long layer, size_t e, shown *x, qz_error *err) {
    const qz_awq_input *in = &u->block.input[e];
    qz_gptq_options o;
    qz_linear_rows lin[QZ_LINEARS];
    QZ_TRY(gptq_with(a, &u->setting[e], in->cols, x->amax, &x->grid, &o, err));
    x->damp = o.damp;
    const bool halves = x->in.asym.cols > 0, floats = !x->pair && x->in.gram && !o.codes.reference;
    const qz_input_stats s = floats ? stats_of(a, u, layer, e) : (qz_input_stats){0};
    const bool held = s.n_held > 0;
    if (a->o.damp > 0 || (!halves && !held)) return QZ_OK;
    const qz_damping_job job = {a->run, a->mm, lin, rows_of(u, e, lin), &o};
    if (halves) QZ_TRY(qz_damping_choose(&job, x->pair, &x->in.asym, &x->damp, err));
    else QZ_TRY(damping_of_stats(&s, u->scales[e], x, &job, err));
    a->n_damped++;
    a->least_damp = a->n_damped == 1 || x->damp < a->least_damp ? x->damp : a->least_damp;
    a->most_damp = x->damp > a->most_damp ? x->damp : a->most_damp;
    return QZ_OK;
}

/* Codes of an input's linears under its matrix (none: rounded to nearest), said and counted where that was not
 * possible as asked. */
static qz_status prepare(qz_int_blocks *a, const qz_int_unit *u, long layer, size_t e, shown *x, qz_gptq *g,
                         qz_error *err) {
    const size_t n = u->block.input[e].n, cols = u->block.input[e].cols;
    qz_gptq_options o;
    char name[64], why[128];
    QZ_TRY(gptq_with(a, &u->setting[e], cols, x->amax, &x->grid, &o, err));
    o.damp = x->damp;
    if (x->in.gram == NULL) { /* named once for the layer */
        (void)snprintf(why, sizeof why,
                       "layer %ld expert %ld: no token of the calibration data reached it; give more or broader data",
                       layer, u->expert);
        a->n_fallbacks += n;
        return qz_gptq_without(g, a->run, cols, &o, why, err);
    }
    QZ_TRY(qz_gptq_prepare(g, a->run, x->in.gram, cols, &o, err));
    if (g->fallback) {
        qz_warn(a->run, "layer %ld %s: rounded to nearest instead of with feedback: %s", layer, where(u, e, name),
                g->reason);
        a->n_fallbacks += n;
    } else if (g->h.damping > (o.damp > 0 ? o.damp : QZ_DAMP_USUAL) * 1.001)
        qz_warn(a->run, "layer %ld %s: statistics are nearly singular, damping raised to %g", layer, where(u, e, name),
                g->h.damping);
    if (g->h.damping > a->damping) a->damping = g->h.damping;
    return QZ_OK;
}

/* Blocks with a ragged edge, or of rows that the file has in another order: only the scheme's rounding knows them. */
static bool rounds_alone(const qz_int_blocks *a, const qz_int_unit *u, long layer, size_t e) {
    const qz_code_setting *s = &u->setting[e];
    const qz_awq_input *in = &u->block.input[e];
    qz_method_tensor t;
    if (s->element == QZ_ELEMENT_INT) return false;
    if (s->group_size != QZ_WHOLE_ROW && in->cols > s->group_size && in->cols % s->group_size != 0) return true;
    for (size_t l = in->first; l < in->first + in->n && s->block_rows > 1 && s->block_rows != QZ_ALL_ROWS;
         l++)
        if (a->job.host.linear(a->job.host.ctx, layer, l, u->expert, &t) && t.whole) return true;
    return false;
}
static qz_status round_input(qz_int_blocks *a, qz_int_unit *u, long layer, size_t e, qz_error *err) {
    const qz_awq_input *in = &u->block.input[e];
    for (size_t l = in->first; l < in->first + in->n; l++) {
        qz_method_tensor t;
        const float *w;
        qz_quantized *q = &u->lin[l];
        if (!a->job.host.linear(a->job.host.ctx, layer, l, u->expert, &t) || t.rows != u->block.linear[l].rows)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "blocks of %u columns do not fit %zu of a merged matrix: tensor '%s'; use --search compat",
                           u->setting[e].group_size, in->cols, u->name[l]);
        *q = (qz_quantized){.name = u->name[l], .type = QZ_TYPE_CODED, .rows = t.rows, .cols = t.cols};
        QZ_TRY(a->job.host.round(a->job.host.ctx, &t, &a->results, &w, &q->coded, err));
        qz_quantized_measure(w, q);
        if (a->flow) QZ_TRY(hand_on(a, u, l, e, err));
    }
    a->n_fallbacks += in->n;
    qz_warn(a->run,
            "layer %ld %s: rounded to nearest instead of with feedback: blocks of %u columns do not divide %zu, or the "
            "file has other rows",
            layer, u->block.linear[in->first].name, u->setting[e].group_size, in->cols);
    return QZ_OK;
}

/* The linears of an input; p: of it where the tokens flow through the quantized model, else NULL. */
static qz_status code_input(qz_int_blocks *a, qz_int_unit *u, long layer, size_t e, qz_pair_stats *p, qz_error *err) {
    const qz_awq_input *in = &u->block.input[e];
    const size_t end = in->first + in->n;
    shown x = {.pair = p, .amax = input_amax(u, e)};
    qz_gptq g = {0};
    if (u->setting[e].keep) return QZ_OK;
    if (rounds_alone(a, u, layer, e)) return round_input(a, u, layer, e, err);
    const qz_site_at at = at_of(a, layer, u->expert);
    qz_site_progress(a->run, &at, e);
    qz_status st = moments(a, u, layer, e, &x, err);
    if (st == QZ_OK && x.in.asym.failed) {
        qz_warn(a->run, "layer %ld %s: asymmetric correction could not be computed (%zu of %d parts): %s", layer,
                u->block.linear[in->first].name, x.in.asym.failed, QZ_HALVES + 1, x.in.asym.why);
        a->n_uncorrected += in->n;
    } else if (p && a->o.asymmetric && u->expert >= 0) a->n_uncorrected += in->n;
    if (st == QZ_OK) st = choose_damping(a, u, layer, e, &x, err);
    if (st == QZ_OK) st = prepare(a, u, layer, e, &x, &g, err);
    for (size_t l = in->first; l < end && st == QZ_OK; l++) st = code_linear(a, u, &g, &x.in.asym, l, err);
    if (st == QZ_OK && a->o.norms && in->fold.kind == QZ_FOLD_NORM && !g.fallback)
        st = refit_norm(a, layer, e, x.in.gram, x.in.cross ? x.in.cross : x.in.gram, err);
    for (size_t l = in->first; l < end && st == QZ_OK && a->flow; l++) st = hand_on(a, u, l, e, err);
    qz_flow_input_release(&x.in);
    qz_gptq_release(&g);
    return st;
}

/* Experts of the layer that no token reached: one line. */
static void say_unseen(qz_int_blocks *a, long layer, const qz_pair_stats *p) {
    qz_str names = {0};
    size_t n = 0;
    for (size_t x = 0; x < a->model->config.experts; x++) {
        const qz_int_unit *u = &a->experts[x];
        bool kept = true;
        for (size_t i = 0; i < QZ_STAGES; i++) kept = kept && (u->setting[i].keep || !has_input(u, i));
        if (!kept && (p ? p->expert_tokens[x] : qz_expert_tokens(a->stats, (size_t)layer, x)) == 0)
            qz_experts_name(&names, n++, x);
    }
    qz_experts_rest(&names, n);
    if (n)
        qz_warn(a->run,
                "layer %ld: no token of the calibration data reached %zu of %llu experts, rounded to nearest instead "
                "of with feedback: %s",
                layer, n, (unsigned long long)a->model->config.experts, names.ptr ? names.ptr : "");
    a->n_unseen += n;
    qz_str_release(&names);
}

/* The method's callback: a sub-module with the block's current weights. */
static qz_status replay_module(void *ctx, const qz_awq_block *b, size_t input, float *y, qz_error *err) {
    const float *w[QZ_LINEARS];
    for (size_t l = 0; l < QZ_LINEARS; l++) w[l] = b->linear[l].w;
    return qz_replay_module(ctx, w, input, y, err);
}

static qz_status replay_block(qz_int_blocks *a, long layer, qz_error *err) {
    qz_awq_made made = {.arena = &a->results, .lin = a->self.lin};
    qz_awq_replay with = {.tokens = qz_replay_tokens(a->replay), .hidden = (size_t)a->model->config.hidden_size,
                          .module = replay_module, .ctx = a->replay};
    for (size_t i = 0; i < QZ_STAGES; i++) with.x[i] = qz_replay_input(a->replay, i);
    QZ_TRY(qz_replay_layer(a->replay, (size_t)layer, err));
    QZ_TRY(qz_awq_compat_block(a->run, a->mm, &a->self.block, &with, &a->awq, &made, err));
    for (size_t l = 0; l < QZ_LINEARS; l++) { /* the block has none of some numbers: error 0 */
        a->self.lin[l].name = a->self.name[l];
        a->final_error += a->self.lin[l].error;
    }
    for (size_t i = 0; i < QZ_STAGES; i++) {
        a->plain += made.report.plain[i];
        a->scaled += made.report.scaled[i];
    }
    a->folded_any = true;
    return QZ_OK;
}

/* Norms are folded as they multiply, and written as the family stores them. */
static void store_norms(qz_int_blocks *a) {
    if (!qz_family_get(a->model->config.family)->norm_plus_one) return;
    for (const qz_awq_input *in = a->self.block.input; in < a->self.block.input + QZ_STAGES; in++)
        for (size_t k = 0; in->norm && k < in->cols; k++) in->norm[k] -= 1;
}

/* What servers do to an input, experts alike. Folded scales make other inputs than those that flow here. */
static const qz_input_rounding *rounding_of(const qz_int_blocks *a, size_t e) {
    const qz_int_unit *u = has_input(&a->self, e) ? &a->self : a->experts;
    if (!a->o.inputs || a->o.fold || u == NULL || !has_input(u, e) || u->setting[e].keep) return NULL;
    return u->setting[e].inputs;
}

/* The inputs of a block in order, each under what the tokens show of it; the tokens' statistics come stage by stage,
 * asked for or not. */
static qz_status code_block(qz_int_blocks *a, long layer, qz_error *err) {
    QZ_TRY(fold(a, &a->self, layer, err));
    for (size_t x = 0; a->experts && x < a->model->config.experts; x++) {
        const qz_site_at at = at_of(a, layer, (long)x);
        if (a->o.fold) qz_site_progress_scales(a->run, &at);
        QZ_TRY(fold(a, &a->experts[x], layer, err));
    }
    bool shared = false, said = false;
    qz_input_widths w;
    qz_input_widths_of(&a->model->config, &w);
    for (size_t e = 0; e < qz_stages(&w, (size_t)layer); e++) {
        qz_pair_stats *p = NULL;
        if (a->flow) QZ_TRY(qz_propagate_stage(a->flow, (size_t)layer, e, rounding_of(a, e), &p, err));
        if (has_input(&a->self, e)) {
            QZ_TRY(code_input(a, &a->self, layer, e, p, err));
            continue;
        }
        if (a->experts && !said) say_unseen(a, layer, p);
        said = true;
        for (size_t x = 0; a->experts && x < a->model->config.experts; x++) {
            QZ_TRY(code_input(a, &a->experts[x], layer, e, p, err));
            shared |= a->experts[x].block.input[e].fold.kind == QZ_FOLD_SHARED;
        }
    }
    a->n_shared += shared && (a->o.norms || a->o.fold);
    return QZ_OK;
}

static qz_status run_block(qz_int_blocks *a, long layer, qz_error *err) {
    QZ_TRY(load_block(a, layer, err));
    QZ_TRY(a->replay ? replay_block(a, layer, err) : code_block(a, layer, err));
    store_norms(a);
    a->layer = layer;
    a->n_blocks++;
    return QZ_OK;
}

/* The codes of a matrix that holds several linears, one below the other. */
static qz_status join(qz_int_blocks *a, const qz_method_tensor *item, const qz_quantized **q, qz_error *err) {
    qz_quantized *all = qz_arena_calloc(&a->results, 1, sizeof *all);
    const qz_coded *parts[QZ_LINEARS];
    size_t row = 0, n = 0;
    if (!all) return qz_fail(err, QZ_EMEMORY, "out of memory for '%s'", item->name);
    *all = a->self.lin[item->linear];
    all->weight_mse = all->error = all->energy = 0;
    for (int l = item->linear; row < item->rows; l++) {
        const qz_quantized *x = &a->self.lin[l];
        parts[n++] = x->coded;
        all->error += x->error;
        all->energy += x->energy;
        all->weight_mse += x->weight_mse * (double)x->rows / (double)item->rows;
        row += x->rows;
    }
    all->coded = parts[0]->ops->stack ? parts[0]->ops->stack(parts, n, &a->results) : NULL;
    all->rows = item->rows;
    *q = all;
    if (all->coded) return QZ_OK;
    const float *w; /* blocks of rows cross from one part to the next: the scheme's rounding of the whole */
    qz_warn(a->run,
            "tensor '%s': rounded to nearest instead of with feedback: blocks of rows cross the parts of the merged "
            "matrix",
            item->name);
    a->n_fallbacks++;
    QZ_TRY(a->job.host.round(a->job.host.ctx, item, &a->results, &w, &all->coded, err));
    all->error = all->energy = 0;
    qz_quantized_measure(w, all);
    return QZ_OK;
}

/* The output matrix, if the artifact has it as codes: under the float model's statistics. */
static qz_status run_head(qz_int_blocks *a, const qz_method_tensor *item, qz_error *err) {
    qz_gptq g = {0};
    qz_code_setting own;
    qz_any_grid grid;
    qz_gptq_options o;
    QZ_TRY(a->job.host.setting(a->job.host.ctx, item->name, &own, err));
    if (own.scale >= QZ_SCALE_E4M3)
        return qz_fail(err, QZ_EUNSUPPORTED, "tensor '%s': the output matrix is not coded with a tensor's scale",
                       item->name);
    QZ_TRY(gptq_with(a, &own, item->cols, 0, &grid, &o, err));
    if (a->stats == NULL)
        return qz_fail(err, QZ_EUSAGE,
                       "quantizing '%s' needs statistics: give --stats FILE, or --search best with --calib",
                       item->name);
    qz_input_stats s = qz_stats_head(a->stats);
    double *gram = qz_alloc_aligned(s.cols * s.cols, sizeof *gram);
    float *w = qz_alloc_aligned(item->rows * item->cols, sizeof *w);
    qz_status st = gram && w ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for '%s'", item->name);
    if (st == QZ_OK) {
        qz_stats_gram(&s, gram);
        qz_tensor_decode(item->source, 0, item->rows, w);
        st = qz_gptq_prepare(&g, a->run, gram, s.cols, &o, err);
    }
    if (st == QZ_OK) st = qz_gptq_quantize(&g, a->mm, w, item->rows, &a->results, &a->head, err);
    a->head.name = item->name;
    qz_gptq_release(&g);
    qz_free(gram);
    qz_free(w);
    return st;
}

/* Codes of a linear (*q) or a float tensor that folding changed (*f); both NULL: the tensor stays as it is. */
static qz_status get(qz_int_blocks *a, const qz_method_tensor *t, const qz_quantized **q, const qz_folded **f,
                     qz_error *err) {
    *q = NULL;
    *f = NULL;
    if (t->layer < 0) {
        if (t->type != QZ_TYPE_CODED) return QZ_OK;
        QZ_TRY(run_head(a, t, err));
        *q = &a->head;
        return QZ_OK;
    }
    /* tokens flow through every block in turn: after a resume the finished ones are coded again (and not written) */
    for (long l = a->flow ? (long)a->n_blocks : t->layer; a->layer != t->layer && l <= t->layer; l++)
        QZ_TRY(run_block(a, l, err));
    if (t->type == QZ_TYPE_CODED) {
        const qz_int_unit *u = t->expert >= 0 ? &a->experts[t->expert] : &a->self;
        if (u->lin[t->linear].rows != t->rows) return join(a, t, q, err);
        *q = &u->lin[t->linear];
        return QZ_OK;
    }
    if (t->linear >= 0 && t->expert < 0 && a->folded_any) {
        const qz_awq_input *in = &a->self.block.input[a->self.block.linear[t->linear].stage];
        QZ_TRY(qz_norm_kept(a->model, t->source, t->layer, in, &a->results, &a->scaled_linear, err));
        *f = a->scaled_linear.data ? &a->scaled_linear : NULL;
        return QZ_OK;
    }
    for (size_t i = 0; i < a->n_folded && a->folded_any; i++)
        if (strcmp(a->folded[i].name, t->name) == 0) *f = &a->folded[i];
    return QZ_OK;
}

static qz_status next(void *state, const qz_method_tensor *t, bool *mine, qz_error *err) {
    qz_int_blocks *a = state;
    a->found = (qz_method_result){.judged = true};
    QZ_TRY(get(a, t, &a->found.q, &a->found.f, err));
    *mine = a->found.q || a->found.f;
    return a->found.q ? qz_quantized_check_scales(a->found.q, qz_tensor_has_values(t->source), err) : QZ_OK;
}

static qz_status result(void *state, qz_method_result *out, qz_error *err) {
    (void)err;
    *out = ((const qz_int_blocks *)state)->found;
    return QZ_OK;
}

static double percent(double error, double energy) { return energy > 0 ? 100 * error / energy : 0; }

/* One line about what was done. */
static void say(const qz_int_blocks *a, char *out, size_t n) {
    if (a->replay) {
        (void)snprintf(out, n, "compat: mean output loss at ratio 0 %.4g, at the chosen ratios %.4g", a->plain,
                       a->scaled);
        return;
    }
    int at = snprintf(out, n, "%soutput error, of the output's energy on the calibration data:",
                      a->o.search == QZ_SEARCH_COMPAT ? "compat: " : "");
    if (a->o.fold && a->fold_energy > 0 && at > 0 && (size_t)at < n)
        at += snprintf(out + at, n - (size_t)at, " rounding %.3g %%, with scales %.3g %%,",
                       percent(a->plain, a->fold_energy), percent(a->scaled, a->fold_energy));
    if (at > 0 && (size_t)at < n)
        at += snprintf(out + at, n - (size_t)at, " with feedback codes %.3g %%",
                       percent(a->final_error, a->final_energy));
    if (a->n_alpha && at > 0 && (size_t)at < n)
        at += snprintf(out + at, n - (size_t)at, ", asymmetric strength %.2f", a->alpha / (double)a->n_alpha);
    if (a->n_damped && at > 0 && (size_t)at < n)
        at += snprintf(out + at, n - (size_t)at, ", damping %g to %g by held-out tokens", a->least_damp, a->most_damp);
    const struct { size_t count; const char *text; } lacks[] = {
        {a->n_fallbacks, "linears rounded to nearest"}, {a->n_uncorrected, "linears without asymmetric correction"},
        {a->n_norms_kept, "norms not refitted"},
        {a->n_shared, "norms before experts as they were (their router reads them)"},
        {a->n_unseen, "experts that no token reached"}};
    for (size_t i = 0; i < sizeof lacks / sizeof *lacks; i++)
        if (lacks[i].count && at > 0 && (size_t)at < n)
            at += snprintf(out + at, n - (size_t)at, "; %zu %s", lacks[i].count, lacks[i].text);
}

static void notes(const void *state, qz_method_notes *out) {
    const qz_int_blocks *a = state;
    out->fallbacks += a->n_fallbacks;
    out->uncorrected += a->n_uncorrected;
    out->norms_kept += a->n_norms_kept + a->n_shared;
    if (a->n_blocks) say(a, out->text, sizeof out->text);
}

static void release(void *state) {
    qz_int_blocks *a = state;
    if (a == NULL) return;
    qz_mm_free(a->mm);
    qz_replay_free(a->replay);
    qz_propagate_free(a->flow);
    qz_arena_release(&a->weights);
    qz_arena_release(&a->results);
    qz_free(a);
}

const qz_method_ops qz_awq_method = {.supports = replayable, .open = open_replay, .next = next, .result = result,
                                     .notes = notes, .release = release,
                                     .memory = qz_int_blocks_replay_memory};
const qz_method_ops qz_gptq_method = {.open = open_solver, .next = next, .result = result, .notes = notes,
                                      .release = release, .memory = qz_int_blocks_memory};
