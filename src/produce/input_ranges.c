#include "produce/input_ranges.h"
#include "base/size.h"
#include "codecs/input_rounding.h"
#include <math.h>

enum { TOKENS = 256, STEPS = 28 }; /* read for the search; ranges from the largest value down, a tenth each */

static qz_input_stats input_of(const qz_stats *stats, const qz_artifact_item *it, long expert) {
    return qz_stats_get(stats, (size_t)it->layer,
                        qz_input_of(&stats->info.in, (size_t)it->layer, (size_t)it->linear, expert));
}
/* scales: of columns, which divide; NULL: none. */
static float largest(const qz_input_stats *s, const float *scales) {
    float most = 0;
    for (size_t k = 0; k < s->cols && s->tokens; k++) {
        const float m = scales ? s->max_abs[k] / scales[k] : s->max_abs[k];
        most = m > most ? m : most;
    }
    return most;
}

/* Step i of the search. */
static float range_at(float amax, size_t i) {
    while (i--) amax *= 0.9f;
    return amax;
}

/* Squared error of the rows x [n, cols] under a fixed range. */
static double error_under(const qz_input_rounding *how, const float *x, size_t n, size_t cols, float *y) {
    double sum = 0;
    for (size_t t = 0; t < n; t++) {
        const float *row = x + t * cols;
        float part = 0;
        qz_input_round_row(how, row, cols, y, NULL);
        for (size_t k = 0; k < cols; k++) part += (row[k] - y[k]) * (row[k] - y[k]);
        sum += (double)part;
    }
    return sum;
}

typedef struct {
    const qz_code_setting *to;
    const float *x; /* [n, cols] */
    size_t n, cols;
    float amax;
    double *error;  /* [STEPS] */
} search;
static void search_steps(void *arg, qz_part part) {
    const search *s = arg;
    float *y = qz_alloc_array(s->cols, sizeof *y);
    for (size_t i = part.i; i < STEPS; i += part.n) {
        const float most = s->to->element == QZ_ELEMENT_INT ? 127.5f : 448;
        const qz_input_rounding how = {.element = s->to->element, .bits = 8, .by = QZ_INPUT_TENSOR, .fixed = true,
                                       .scale = range_at(s->amax, i) / most, .sym = true};
        s->error[i] = y && how.scale > 0 ? error_under(&how, s->x, s->n, s->cols, y) : INFINITY;
    }
    qz_free(y);
}

/* The range of least squared error, amax where none is better or no token is kept. */
static qz_status best_range(qz_run *run, const qz_input_stats *s, const float *scales, const qz_code_setting *to,
                            float *amax, qz_error *err) {
    double error[STEPS];
    float *x = s->n_held ? qz_stats_held(s, scales) : NULL;
    search j = {to, x, qz_min_size(TOKENS, s->n_held), s->cols, *amax, error};
    if (!s->n_held) return QZ_OK;
    if (!x) return qz_fail(err, QZ_EMEMORY, "out of memory for the range of inputs of %zu columns", s->cols);
    qz_pool_run(run ? run->pool : NULL, 0, search_steps, &j);
    size_t best = 0;
    for (size_t i = 1; i < STEPS; i++)
        if (error[i] < error[best]) best = i;
    *amax = range_at(*amax, best);
    qz_free(x);
    return QZ_OK;
}

qz_status qz_input_range_scaled(qz_run *run, const qz_artifact_plan *plan, const qz_stats *stats, qz_artifact_item *it,
                                const float *scales, qz_error *err) {
    const qz_scheme_spec *spec = qz_item_spec(plan, it);
    const qz_input_stats s = input_of(stats, it, it->experts ? (long)it->expert : -1);
    const qz_code_setting to = {.element = spec->element};
    const bool whole = to.element == QZ_ELEMENT_INT || to.element == QZ_ELEMENT_E4M3; /* one range for the tensor */
    if (s.tokens == 0) return QZ_OK; /* an expert that no token reached keeps what its layer gave */
    it->input_amax = largest(&s, scales);
    if (!whole || plan->context->as_reference || it->input_amax == 0) return QZ_OK;
    return best_range(run, &s, scales, &to, &it->input_amax, err);
}

bool qz_input_ranges_same(const qz_stats *stats, const qz_artifact_item *a, const qz_artifact_item *b) {
    const qz_input_widths *w = &stats->info.in;
    if (a->type != QZ_TYPE_CODED || b->type != QZ_TYPE_CODED || a->linear < 0 || b->linear < 0) return false;
    if (a->layer < 0 || a->layer != b->layer || a->as != b->as || a->experts || b->experts) return false;
    return qz_input_of(w, (size_t)a->layer, (size_t)a->linear, -1) ==
           qz_input_of(w, (size_t)b->layer, (size_t)b->linear, -1);
}

qz_status qz_input_ranges_fill(qz_run *run, const qz_artifact_plan *plan, const qz_stats *stats, qz_error *err) {
    size_t unseen = 0;
    const qz_artifact_item *before = NULL;
    for (size_t i = 0; i < plan->n_items; i++) {
        qz_artifact_item *it = &plan->items[i];
        if (it->type != QZ_TYPE_CODED || it->layer < 0 || it->linear < 0 || !qz_item_spec(plan, it)->static_inputs)
            continue;
        if (before && qz_input_ranges_same(stats, before, it)) it->input_amax = before->input_amax;
        else QZ_TRY(qz_input_range_scaled(run, plan, stats, it, NULL, err));
        before = it;
        unseen += it->input_amax == 0 && it->experts;
        for (size_t n = 0, all = it->input_amax == 0 ? it->experts : 0; n < all; n++) {
            const qz_input_stats s = input_of(stats, it, (long)n);
            const float other = largest(&s, NULL);
            it->input_amax = other > it->input_amax ? other : it->input_amax;
        }
    }
    if (unseen)
        qz_warn(run,
                "%s: no token of the calibration data reached the experts of %zu tensor%s: the scale of their inputs "
                "is the largest of their layer; give more or broader data",
                plan->spec.name, unseen, qz_plural(unseen));
    return QZ_OK;
}
