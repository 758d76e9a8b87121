#include "pipeline/blame.h"
#include "artifacts/diff.h"
#include "artifacts/diff_int.h"
#include "artifacts/source.h"
#include "base/rng.h"
#include "base/size.h"
#include "codecs/types.h"
#include "eval/score.h"
#include "pipeline/evaluate.h"
#include "pipeline/same_tokens.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOWS = 8, SEED = 17 };

/* A tensor of the source, and what stands in its place while its unit is the artifact's. */
typedef struct { size_t at, unit; qz_tensor_view own, other; float *data; } part;
typedef struct {
    qz_run *run;
    const qz_request *r;
    qz_source source, mixed, artifact; /* mixed: the source once more, whose views are exchanged */
    qz_engine *e;                      /* of the source */
    qz_diff_folds folds;
    qz_eval_set set;
    part *parts; size_t n_parts;
    qz_blame *out;
} blame;

/* "model.layers.3.mlp.experts.7.up_proj.weight" -> "model.layers.3.mlp.experts.*.up_proj.weight" */
static char *unit_name(const char *name, qz_arena *a) {
    const char *at = strstr(name, ".experts.");
    if (at == NULL) return qz_arena_strdup(a, name);
    const char *rest = at + strlen(".experts.");
    while (*rest >= '0' && *rest <= '9') rest++;
    return qz_arena_printf(a, "%.*s.experts.*%s", (int)(at - name), name, rest);
}

static qz_status unit_of(blame *b, const qz_tensor_view *x, const qz_tensor_view *y, size_t *unit, qz_error *err) {
    qz_blame *o = b->out;
    char *name = unit_name(x->name, &o->arena);
    if (name == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (*unit = 0; *unit < o->n && strcmp(o->unit[*unit].name, name) != 0;) ++*unit;
    if (*unit == o->n) o->unit[o->n++] = (qz_blamed){.name = name};
    o->unit[*unit].bits += 8.0 * (double)y->bytes; /* their sum, until all are counted */
    o->unit[*unit].weights += (uint64_t)x->rows * x->cols;
    return QZ_OK;
}

/* Values of the artifact in the source's order and with moved scales undone. */
static qz_status dense(blame *b, part *p, const qz_tensor_view *x, const qz_tensor_view *y, qz_error *err) {
    float *w = qz_alloc_array((size_t)x->rows * x->cols, sizeof *w), *v = qz_alloc_array((size_t)x->rows * x->cols,
                                                                                        sizeof *v);
    const qz_diff_pair pair = {&b->source, &b->artifact, x, y, &b->folds.of[x - b->source.model->tensors]};
    const qz_status st = w && v ? qz_diff_dense(&pair, w, v, err)
                                : qz_fail(err, QZ_EMEMORY, "out of memory for '%s'", x->name);
    qz_free(w);
    p->data = v;
    p->other = *x;
    p->other.type = QZ_TYPE_F32, p->other.data = v, p->other.bytes = (size_t)x->rows * x->cols * sizeof *v;
    p->other.coded = NULL, p->other.map = QZ_MAP_NONE, p->other.n_swaps = 0, p->other.row_from = NULL;
    p->other.add = 0, p->other.first_row = 0, p->other.inputs = NULL;
    return st;
}

/* Every matrix that the artifact has otherwise. */
static qz_status find_parts(blame *b, qz_error *err) {
    const qz_model *a = b->source.model;
    b->parts = qz_calloc_array(a->n_tensors, sizeof *b->parts);
    b->out->unit = qz_arena_calloc(&b->out->arena, a->n_tensors, sizeof *b->out->unit);
    if (b->parts == NULL || b->out->unit == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < a->n_tensors; i++) {
        const qz_tensor_view *x = &a->tensors[i], *y = qz_model_find(b->artifact.model, x->name);
        qz_diff_sums s = {0};
        if (y == NULL || y->rows != x->rows || y->cols != x->cols)
            return qz_fail(err, QZ_EUSAGE,
                           "tensor '%s' of '%s' is missing or has another shape in '%s': 'quantz doctor' "
                           "says more",
                           x->name, b->r->against, b->r->operands[0]);
        QZ_TRY(qz_diff_compare(&b->source, &b->artifact, x, y, &b->folds.of[i], &s, err));
        if (s.different == 0) continue;
        if (x->rows == 1) {
            b->out->left++;
            continue;
        }
        part *p = &b->parts[b->n_parts++];
        *p = (part){.at = i, .own = b->mixed.model->tensors[i]};
        QZ_TRY(unit_of(b, x, y, &p->unit, err));
        QZ_TRY(dense(b, p, x, y, err));
    }
    for (size_t i = 0; i < b->out->n; i++) b->out->unit[i].bits /= (double)b->out->unit[i].weights;
    if (b->out->n) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "'%s' has the values of '%s' in every matrix: there is nothing to blame",
                   b->r->operands[0], b->r->against);
}

/* KL of the source with these units from the artifact. */
static qz_status measure(blame *b, const uint8_t *taken, double *kl, qz_error *err) {
    qz_engine *e = NULL;
    qz_score score = {0};
    for (size_t i = 0; i < b->n_parts; i++)
        b->mixed.model->tensors[b->parts[i].at] = taken[b->parts[i].unit] ? b->parts[i].other : b->parts[i].own;
    QZ_TRY(qz_engine_open(b->run, b->mixed.model, &(qz_engine_options){.arith = QZ_ARITH_EXACT}, &e, err));
    const qz_status st = qz_score_run(b->run, &(qz_score_models){b->e, &e, 1}, &b->set, &score, NULL, err);
    *kl = score.kl.value;
    b->out->scored = score.scored;
    qz_score_release(&score);
    qz_engine_free(e);
    return st;
}

/* Of the artifact as it is, norms and biases too. */
static qz_status measure_whole(blame *b, qz_error *err) {
    qz_engine *e = NULL;
    qz_score score = {0};
    QZ_TRY(qz_engine_open(b->run, b->artifact.model, &(qz_engine_options){.arith = QZ_ARITH_EXACT}, &e, err));
    const qz_status st = qz_score_run(b->run, &(qz_score_models){b->e, &e, 1}, &b->set, &score, NULL, err);
    b->out->whole = score.kl.value;
    qz_score_release(&score);
    qz_engine_free(e);
    return st;
}

static qz_status shares(blame *b, uint8_t *taken, qz_error *err) {
    qz_blame *o = b->out;
    qz_progress_begin(b->run);
    qz_status st = QZ_OK;
    for (size_t i = 0; i < o->n && st == QZ_OK; i++) {
        memset(taken, 0, o->n);
        taken[i] = 1;
        st = measure(b, taken, &o->unit[i].kl, err);
        o->sum += o->unit[i].kl;
        o->unit[i].buys = 0.75 * o->unit[i].kl;
        qz_progress_step(b->run, "blame", i + 1, o->n + 1 + QZ_BLAME_HALVES, "measurements");
    }
    memset(taken, 1, o->n);
    if (st == QZ_OK) st = measure(b, taken, &o->kl, err);
    if (st == QZ_OK) st = measure_whole(b, err);
    qz_rng rng;
    qz_rng_seed(&rng, SEED);
    for (size_t h = 0; h < QZ_BLAME_HALVES && st == QZ_OK; h++) {
        o->half_sum[h] = 0;
        for (size_t i = 0; i < o->n; i++) {
            taken[i] = qz_rng_below(&rng, 2) == 1;
            if (taken[i]) o->half_sum[h] += o->unit[i].kl;
        }
        st = measure(b, taken, &o->half_kl[h], err);
        qz_progress_step(b->run, "blame", o->n + 2 + h, o->n + 1 + QZ_BLAME_HALVES, "measurements");
    }
    qz_progress_end(b->run);
    return st;
}

/* Of the halves' KL, how much the sums tell: 1 - Σ(kl - sum)² / Σ(kl - mean)²; no line is fitted. */
static double explained(const qz_blame *b) {
    double mean = 0, left = 0, all = 0;
    for (size_t h = 0; h < QZ_BLAME_HALVES; h++) mean += b->half_kl[h] / QZ_BLAME_HALVES;
    for (size_t h = 0; h < QZ_BLAME_HALVES; h++) {
        left += (b->half_kl[h] - b->half_sum[h]) * (b->half_kl[h] - b->half_sum[h]);
        all += (b->half_kl[h] - mean) * (b->half_kl[h] - mean);
    }
    return all > 0 ? 1 - left / all : NAN;
}

static int by_share(const void *x, const void *y) {
    const qz_blamed *a = x, *b = y;
    if (a->kl > b->kl || a->kl < b->kl) return a->kl > b->kl ? -1 : 1;
    return strcmp(a->name, b->name);
}

static qz_status build_set(blame *b, qz_dataset *d, qz_error *err) {
    const qz_tokenizer *t = b->source.tokenizer;
    qz_eval_options o = qz_eval_asked(b->r, &b->source);
    if (b->r->windows == QZ_COUNT_AUTO) o.max_windows = WINDOWS;
    QZ_TRY(qz_dataset_load(b->r->text, t, &(qz_dataset_options){0}, d, err));
    QZ_TRY(qz_eval_set_build(t, d, &o, &b->set, err));
    b->out->windows = b->set.n;
    return qz_same_tokens(&b->source, &b->artifact, d, &o, &b->set, err);
}

static qz_status all_of_it(blame *b, qz_error *err) {
    qz_dataset d = {0};
    QZ_TRY(qz_source_open(b->run, b->r->against, &b->source, err));
    QZ_TRY(qz_source_open(b->run, b->r->against, &b->mixed, err));
    QZ_TRY(qz_source_open(b->run, b->r->operands[0], &b->artifact, err));
    qz_status st = build_set(b, &d, err);
    qz_dataset_release(&d);
    QZ_TRY(st);
    QZ_TRY(qz_diff_folds_find(&b->source, &b->artifact, &b->out->arena, &b->folds, err));
    QZ_TRY(find_parts(b, err));
    QZ_TRY(qz_engine_open(b->run, b->source.model, &(qz_engine_options){.arith = QZ_ARITH_EXACT}, &b->e, err));
    uint8_t *taken = qz_arena_calloc(&b->out->arena, b->out->n, 1);
    if (taken == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    QZ_TRY(shares(b, taken, err));
    b->out->r2 = explained(b->out);
    qsort(b->out->unit, b->out->n, sizeof *b->out->unit, by_share);
    return QZ_OK;
}

qz_status qz_blame_run(qz_run *run, const qz_request *r, qz_blame *out, qz_error *err) {
    blame b = {.run = run, .r = r, .out = out};
    *out = (qz_blame){0};
    if (!r->against || !r->text)
        return qz_fail(err, QZ_EUSAGE, "blame needs --against MODEL (the source) and --text FILE");
    const qz_status st = all_of_it(&b, err);
    qz_engine_free(b.e);
    for (size_t i = 0; i < b.n_parts; i++) {
        b.mixed.model->tensors[b.parts[i].at] = b.parts[i].own;
        qz_free(b.parts[i].data);
    }
    qz_free(b.parts);
    qz_eval_set_release(&b.set);
    qz_source_release(&b.source);
    qz_source_release(&b.mixed);
    qz_source_release(&b.artifact);
    return st;
}

void qz_blame_release(qz_blame *b) { qz_arena_release(&b->arena); }
