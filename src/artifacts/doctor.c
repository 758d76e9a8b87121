#include "artifacts/doctor_int.h"
#include "artifacts/gguf_deviations.h"
#include "artifacts/open.h"
#include "base/io.h"
#include "base/size.h"
#include "codecs/types.h"
#include <math.h>
#include <string.h>

/* ---- the steps of the walk ---- */
typedef enum { STEP_FILE, STEP_TOKENIZER, STEP_EMBEDDING, STEP_CONFIG, STEP_BLOCKS, STEP_HEAD, STEP_TEMPLATE,
               STEP_SAMPLING, STEPS } step;
static const char *const step_names[STEPS] = {"files", "tokenizer", "embedding", "configuration", "blocks",
                                              "output", "chat template", "sampling defaults"};
typedef struct { const char *subject; step at; const char *cause; } fault;
static const fault faults[] = {
#define QZ_FAULT(subject, at, cause) {subject, STEP_##at, cause},
#include "artifacts/doctor_faults.def"
#undef QZ_FAULT
};

typedef struct {
    qz_run *run;
    const qz_source *a, *b;
    const qz_diff *diff;
    qz_diff_folds folds;
    qz_arena *arena;
    qz_doctor *out;
    size_t room;
    bool coded;            /* the artifact has coded matrices: norms may have been refitted */
    bool parted;           /* GGUF has the matrix of latent attention as two stacks: no pair to compare */
} walk;

static qz_status say(walk *w, const char *name, bool wrong, const char *text, qz_error *err) {
    if (w->out->n == w->room || !name || !text) return qz_fail(err, QZ_EMEMORY, "out of memory");
    w->out->steps[w->out->n++] = (qz_doctor_step){name, wrong, text};
    w->out->wrong += wrong;
    return QZ_OK;
}

static bool begins(const char *text, const char *with) {
    const size_t n = strlen(with);
    return strncmp(text, with, n) == 0 && (text[n] == 0 || text[n] == ' ' || text[n] == ':');
}

/* GGUF has one architecture for several families: the other name is no fault there. */
static bool one_architecture(const walk *w) {
    const char *a = qz_family_get(w->a->model->config.family)->gguf_arch,
               *b = qz_family_get(w->b->model->config.family)->gguf_arch;
    return qz_gguf_of(w->b->model) && a && b && strcmp(a, b) == 0;
}

/* What GGUF has no key for, in the words that quantize warned with; NULL: nothing of this subject. */
static const char *forced(const walk *w, const char *subject) {
    const bool window = strcmp(subject, "sliding_window") == 0, rotary = strncmp(subject, "rope", 4) == 0;
    qz_gguf_deviation x;
    if (qz_gguf_of(w->b->model) == NULL || (!window && !rotary)) return NULL;
    for (size_t i = 0; qz_gguf_deviation_at(&w->a->model->config, i, &x); i++)
        if (strstr(x.text, "cannot be stored in GGUF") && strstr(x.text, window ? "window" : "scal"))
            return qz_arena_printf(w->arena, "no fault of this file: %s", x.text);
    return NULL;
}

/* Facts that differ and mean something, of one step; the step is fine if there is none. */
static qz_status facts(walk *w, step at, qz_error *err) {
    const qz_table *t = &w->diff->other;
    const size_t before = w->out->wrong;
    for (size_t i = 0; i < t->n_rows; i++) {
        const char *subject = qz_table_cell(t, i, 0);
        const fault *f = NULL; /* the longest beginning */
        for (size_t k = 0; k < sizeof faults / sizeof *faults; k++)
            if (begins(subject, faults[k].subject) && (!f || strlen(faults[k].subject) > strlen(f->subject)))
                f = &faults[k];
        if (f == NULL || f->at != at || (strcmp(subject, "family") == 0 && one_architecture(w))) continue;
        const char *known = forced(w, subject);
        if (known) {
            QZ_TRY(say(w, step_names[at], false, known, err));
            continue;
        }
        QZ_TRY(say(w, step_names[at], true, qz_arena_printf(w->arena, "%s (%s: source %s, artifact %s)", f->cause,
                                                           subject, qz_table_cell(t, i, 1), qz_table_cell(t, i, 2)),
                   err));
    }
    return w->out->wrong == before ? say(w, step_names[at], false, "the source's", err) : QZ_OK;
}

/* ---- tensors ---- */
enum { MOST = 32 << 20 }; /* values of a tensor that are looked at: of a larger one its first rows */

/* Of the values' own size: what rounding to so many bits leaves at best, and what methods that move errors to where
 * they count less leave at most (measured on artifacts of this program, few calibration tokens included). */
typedef struct { double bits, rounding, most; } limit;
static limit limit_of(const walk *w, const qz_tensor_view *x, const qz_tensor_view *y) {
    static const limit limits[] = {
        {14, 0.01, 0.01}, {7.5, 0.03, 0.3}, {5.5, 0.06, 0.4}, {3.9, 0.12, 0.5}, {2.9, 0.25, 0.7}};
    if (y->rows == 1) return w->coded ? (limit){0, 0.02, 0.6} : limits[0]; /* refitted norms */
    const double bits = 8.0 * (double)y->bytes / ((double)x->rows * (double)x->cols);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (bits >= limits[i].bits) return limits[i];
    return (limit){0, 0.4, 0.95};
}

/* One tensor; *cause NULL: nothing is wrong with it. */
static qz_status look(walk *w, const qz_tensor_view *x, const char **cause, double *error, qz_error *err) {
    const qz_tensor_view *y = qz_model_find(w->b->model, x->name);
    size_t n;
    *cause = NULL;
    if (y == NULL) return *cause = w->parted ? NULL : "it is missing", QZ_OK;
    if (y->rows != x->rows || y->cols != x->cols) {
        *cause = qz_arena_printf(w->arena, "its shape is [%zu, %zu], the source's [%zu, %zu]", y->rows, y->cols,
                                 x->rows, x->cols);
        return *cause ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    }
    const size_t rows = qz_min_size(x->rows, qz_max_size(1, MOST / qz_max_size(1, x->cols)));
    float *v = qz_mul_size(rows, x->cols, &n) && n <= SIZE_MAX / 2 ? qz_alloc_array(2 * n, sizeof *v) : NULL;
    if (v == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory looking at '%s'", x->name);
    const qz_doctor_pair p = {.a = w->a,
                              .b = w->b,
                              .x = x,
                              .y = y,
                              .w = v + n,
                              .v = v,
                              .rows = rows,
                              .cols = x->cols,
                              .heads = rows == x->rows ? qz_model_rotary_heads(w->a->model, x->name) : 0,
                              .arena = w->arena};
    qz_status st = qz_diff_matrices(&(qz_diff_pair){w->a, w->b, x, y, &w->folds.of[x - w->a->model->tensors]}, rows,
                                    v + n, v, err);
    if (st == QZ_OK) *error = qz_doctor_error(&p);
    const limit l = limit_of(w, x, y);
    if (st == QZ_OK && qz_doctor_suspects(&p, l.rounding)) st = qz_doctor_cause(&p, l.most, cause, err);
    qz_free(v);
    qz_tensor_forget(x);
    qz_tensor_forget(y);
    return st;
}

/* The layer that a tensor's name is of; -1: it stands outside the blocks. */
static long layer_of(const qz_model *m, const qz_tensor_view *t) {
    char text[32];
    for (size_t l = 0; l < m->config.layers; l++) {
        (void)snprintf(text, sizeof text, "layers.%zu.", l);
        if (strstr(t->name, text)) return (long)l;
    }
    return -1;
}
static const char *short_name(const qz_tensor_view *t, long layer) {
    char text[32];
    (void)snprintf(text, sizeof text, "layers.%ld.", layer);
    const char *at = layer >= 0 ? strstr(t->name, text) : NULL;
    return at ? at + strlen(text) : t->name;
}

static qz_status one(walk *w, const qz_tensor_view *x, const char *where, long layer, double *worst, qz_error *err) {
    const char *cause;
    double error = 0;
    QZ_TRY(look(w, x, &cause, &error, err));
    *worst = error > *worst ? error : *worst;
    if (cause == NULL) return QZ_OK;
    return say(w, qz_arena_printf(w->arena, "%s: %s", where, short_name(x, layer)), true, cause, err);
}

static qz_status fine(walk *w, const char *name, size_t n, double worst, qz_error *err) {
    return say(w, name, false, qz_arena_printf(w->arena, "%zu tensor%s, %.3g %% away at most", n, qz_plural(n),
                                               100 * worst), err);
}

/* The tensors outside the blocks: the embedding (and what stands beside it), or what comes behind the blocks. */
static qz_status outside(walk *w, step at, qz_error *err) {
    const qz_model *m = w->a->model;
    const size_t before = w->out->wrong;
    double worst = 0;
    size_t n = 0;
    for (size_t i = 0; i < m->n_tensors; i++) {
        const qz_tensor_view *t = &m->tensors[i];
        const bool last = t == m->head || t == m->final_norm || t == m->final_bias || t == m->head_bias;
        if (layer_of(m, t) >= 0 || (at == STEP_HEAD) != (last && t != m->embed)) continue;
        QZ_TRY(one(w, t, step_names[at], -1, &worst, err));
        n++;
    }
    return w->out->wrong == before && n ? fine(w, step_names[at], n, worst, err) : QZ_OK;
}

static qz_status blocks(walk *w, qz_error *err) {
    const qz_model *m = w->a->model;
    for (size_t l = 0; l < m->config.layers; l++) {
        const size_t before = w->out->wrong;
        double worst = 0;
        size_t n = 0;
        char *name = qz_arena_printf(w->arena, "block %zu", l);
        if (name == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
        for (size_t i = 0; i < m->n_tensors; i++) {
            if (layer_of(m, &m->tensors[i]) != (long)l) continue;
            QZ_TRY(one(w, &m->tensors[i], name, (long)l, &worst, err));
            n++;
        }
        if (w->out->wrong == before) QZ_TRY(fine(w, name, n, worst, err));
        qz_progress_step(w->run, "looking", l + 1, m->config.layers, "blocks");
    }
    return QZ_OK;
}

/* Tensors that the artifact has and the source has not. */
static qz_status strangers(walk *w, qz_error *err) {
    const qz_model *m = w->b->model;
    if (w->parted)
        return say(w, "latent attention", false,
                   "its matrix stands in two parts in GGUF and is not compared here: 'quantz "
                   "verify --rederive' does",
                   err);
    for (size_t i = 0; i < m->n_tensors; i++) {
        if (qz_model_find(w->a->model, m->tensors[i].name)) continue;
        if (&m->tensors[i] == m->head) continue; /* stored beside a tied embedding: compared as such */
        QZ_TRY(say(w, m->tensors[i].name, true, "the source has no such tensor", err));
    }
    return QZ_OK;
}

/* A GGUF file has the source's pipeline for this program and keys for all others: what these say of BOS and EOS. */
static qz_status keys(walk *w, const char *path, qz_error *err) {
    qz_tokenizer *t = NULL;
    bool pipeline = false;
    const qz_tokenizer *a = w->a->tokenizer;
    if (qz_gguf_of(w->b->model) == NULL || a == NULL) return QZ_OK;
    QZ_TRY(qz_artifact_tokenizer_by_keys(path, &t, &pipeline, err));
    qz_status st = QZ_OK;
    const struct { const char *what; long a, b; } of[] = {
        {"add_bos_token", qz_tokenizer_adds_bos(a), t && qz_tokenizer_adds_bos(t)},
        {"bos_token_id", qz_tokenizer_adds_bos(a) ? (long)qz_tokenizer_bos(a) : 0,
         t && qz_tokenizer_adds_bos(a) ? (long)qz_tokenizer_bos(t) : 0},
        {"eos_token_id", (long)qz_tokenizer_eos(a), t ? (long)qz_tokenizer_eos(t) : -1}};
    for (size_t i = 0; t && pipeline && i < sizeof of / sizeof *of && st == QZ_OK; i++)
        if (of[i].a != of[i].b)
            st = say(w, step_names[STEP_TOKENIZER], true,
                     qz_arena_printf(w->arena, "key tokenizer.ggml.%s: BOS or the end of answers is another one in "
                                               "llama.cpp (source %ld, artifact %ld)", of[i].what, of[i].a, of[i].b),
                     err);
    qz_tokenizer_free(t);
    return st;
}

/* Bytes that the manifest does not know. */
static qz_status files(walk *w, const char *path, qz_error *err) {
    qz_table t = {0};
    qz_error why = {0};
    size_t bad = 0;
    QZ_TRY(qz_artifact_verify_hashes(path, w->arena, &t, &why) == QZ_EMEMORY ? (*err = why, QZ_EMEMORY) : QZ_OK);
    for (size_t i = 0; i < t.n_rows; i++) {
        if (strcmp(qz_table_cell(&t, i, 1), "FAIL") != 0) continue;
        bad++;
        QZ_TRY(say(w, step_names[STEP_FILE], true,
                   qz_arena_printf(w->arena, "changed after it was written, by its manifest: %s: %s",
                                   qz_table_cell(&t, i, 0), qz_table_cell(&t, i, 2)), err));
    }
    if (bad || t.n_rows == 0) return QZ_OK;
    return say(w, step_names[STEP_FILE], false, qz_table_cell(&t, 0, 2), err);
}

static qz_status walk_through(walk *w, const char *path, qz_error *err) {
    QZ_TRY(files(w, path, err));
    QZ_TRY(facts(w, STEP_TOKENIZER, err));
    QZ_TRY(keys(w, path, err));
    QZ_TRY(outside(w, STEP_EMBEDDING, err));
    QZ_TRY(facts(w, STEP_CONFIG, err));
    QZ_TRY(blocks(w, err));
    QZ_TRY(outside(w, STEP_HEAD, err));
    QZ_TRY(strangers(w, err));
    QZ_TRY(facts(w, STEP_TEMPLATE, err));
    return facts(w, STEP_SAMPLING, err);
}

static bool coded(const qz_model *m) {
    for (size_t i = 0; i < m->n_tensors; i++) {
        const qz_type t = m->tensors[i].type;
        if (t == QZ_TYPE_CODED || (t < QZ_TYPE_COUNT && qz_type_get(t)->kind != QZ_KIND_FLOAT)) return true;
    }
    return false;
}

qz_status qz_doctor_run(qz_run *run, const qz_source *a, const qz_source *b, const char *const paths[2],
                        qz_arena *arena, qz_doctor *out, qz_error *err) {
    qz_diff d;
    *out = (qz_doctor){0};
    walk w = {.run = run, .a = a, .b = b, .diff = &d, .arena = arena, .out = out};
    QZ_TRY(qz_diff_facts(a, b, paths, arena, &d, err));
    QZ_TRY(qz_diff_folds_find(a, b, arena, &w.folds, err));
    w.room = a->model->n_tensors + b->model->n_tensors + d.other.n_rows + a->model->config.layers + STEPS + 64;
    out->steps = qz_arena_calloc(arena, w.room, sizeof *out->steps);
    if (out->steps == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    w.coded = coded(b->model);
    out->exchanged = !w.coded && coded(a->model);
    w.parted = qz_gguf_of(b->model) && a->model->config.latent.kv_rank;
    qz_progress_begin(run);
    const qz_status st = walk_through(&w, paths[1], err);
    qz_progress_end(run);
    return st;
}
