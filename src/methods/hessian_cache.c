#include "methods/hessian_cache.h"
#include "base/size.h"
#include "methods/damping.h"
#include "methods/expert_gram.h"
#include "methods/int_grid.h"

enum { SAMPLE = 64 }; /* rows that damping is decided on */

qz_status qz_hessian_cache_open(qz_hessian_cache *c, const qz_method_job *job, qz_error *err) {
    *c = (qz_hessian_cache){.job = job, .layer = -1};
    return qz_mm_open(job->run, &c->mm, err);
}

static void clear(qz_hessian_cache *c) {
    for (size_t g = 0; g < QZ_STAGES; g++) qz_hessian_release(&c->h[g]);
}

void qz_hessian_cache_release(qz_hessian_cache *c) {
    clear(c);
    qz_mm_free(c->mm);
    *c = (qz_hessian_cache){0};
}

/* The output matrix stands behind the last layer. */
static long layer_of(const qz_stats *stats, const qz_method_tensor *t) {
    return t->head ? (long)stats->info.in.layers : t->layer;
}
qz_input_stats qz_method_input(const qz_stats *stats, const qz_method_tensor *t, size_t *input) {
    *input = t->head ? 0 : qz_input_of(&stats->info.in, (size_t)t->layer, (size_t)t->linear, t->expert);
    return qz_stats_get(stats, (size_t)layer_of(stats, t), *input);
}

/* How much the diagonal takes, on tokens that the statistics keep. All types of an input share its matrix, and a
 * resumed job may begin with any of them: rows of its first linear, in 4 bits, decide for all. */
static qz_status damping_of(qz_hessian_cache *c, const qz_input *in, const qz_input_stats *s, const double *gram,
                            double *damp, qz_error *err) {
    const qz_model *m = c->job->model;
    const qz_tensor_view *t = (uint64_t)c->layer == m->config.layers ? m->head : m->blocks[c->layer].linear[in->first];
    const double given = c->job->options->damp;
    const qz_int_grid grid = qz_int_grid_of(&(qz_code_setting){.bits = 4,
                                                              .group_size = s->cols % 32 ? QZ_WHOLE_ROW : 32}, s->cols);
    qz_gptq_options o = {.codes = qz_feedback_default};
    o.codes.grid = &grid.base;
    *damp = given > 0 ? given : QZ_DAMP_USUAL;
    if (given > 0 || s->n_held == 0 || t == NULL || t->cols != s->cols) return QZ_OK;
    const size_t rows = qz_min_size(t->rows, SAMPLE);
    float *w = qz_alloc_array(rows * s->cols, sizeof *w), *held = qz_stats_held(s, NULL);
    qz_status st = w && held ? QZ_OK
                             : qz_fail(err, QZ_EMEMORY, "out of memory choosing the damping of %zu columns", s->cols);
    for (size_t r = 0; r < rows && st == QZ_OK; r++) qz_tensor_decode(t, r * t->rows / rows, 1, w + r * s->cols);
    const qz_damping_tokens tokens = {gram, s->tokens, held, s->n_held, s->cols};
    const qz_linear_rows lin = {w, rows};
    if (st == QZ_OK) st = qz_damping_held(&(qz_damping_job){c->job->run, c->mm, &lin, 1, &o}, &tokens, damp, err);
    qz_free(w);
    qz_free(held);
    c->least = c->n_damped == 0 || *damp < c->least ? *damp : c->least;
    c->most = *damp > c->most ? *damp : c->most;
    c->n_damped++;
    return st;
}

/* Columns as the view has them. */
static void in_order_of(const qz_tensor_view *t, double *gram) {
    const size_t n = t->cols;
    for (size_t i = 0; i < t->n_swaps; i++) {
        const size_t a = t->swaps[i][0], b = t->swaps[i][1];
        for (size_t k = 0; k < n; k++) {
            const double x = gram[a * n + k];
            gram[a * n + k] = gram[b * n + k];
            gram[b * n + k] = x;
        }
        for (size_t k = 0; k < n; k++) {
            const double x = gram[k * n + a];
            gram[k * n + a] = gram[k * n + b];
            gram[k * n + b] = x;
        }
    }
}

qz_status qz_hessian_cache_get(qz_hessian_cache *c, const qz_method_tensor *t, qz_hessian_order order,
                               const qz_hessian **out, qz_error *err) {
    size_t input;
    const qz_input_stats s = qz_method_input(c->job->stats, t, &input);
    const long layer = layer_of(c->job->stats, t);
    const qz_input in = qz_input_at(&c->job->stats->info.in, (size_t)layer, input);
    const size_t g = in.stage;
    double damp;
    if (c->layer != layer) clear(c);
    c->layer = layer;
    *out = &c->h[g];
    if (c->h[g].h && c->order[g].group == order.group && c->order[g].point == order.point && c->input[g] == input)
        return QZ_OK;
    qz_hessian_release(&c->h[g]);
    double *gram = qz_alloc_aligned(s.cols * s.cols, sizeof *gram);
    if (gram == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for a matrix of %zu columns", s.cols);
    const bool few = c->job->options->experts;
    qz_status st = qz_expert_gram_of(c->job->stats, (size_t)layer, input, few, gram, err);
    if (st == QZ_OK) st = damping_of(c, &in, &s, gram, &damp, err);
    in_order_of(t->source, gram);
    if (st == QZ_OK)
        st = qz_hessian_init(&c->h[g], c->job->run, gram,
                             &(qz_hessian_how){s.cols, order.group, damp, QZ_ORDER_GROUPS, order.point}, err);
    qz_free(gram);
    c->order[g] = order;
    c->input[g] = input;
    return st;
}
