#include "produce/adapter_fit.h"
#include "artifacts/diff_int.h"
#include "base/io.h"
#include "base/size.h"
#include "calibrate/calibrate.h"
#include "engine/engine.h"
#include "formats/dtypes.h"
#include "methods/low_rank_fit.h"
#include "produce/rewrite.h"
#include <string.h>

enum { CHUNK_TOKENS = 4096 };

/* One layer at a time: the moments of the inputs that pairs of it read. */
typedef struct {
    qz_adapter_fit *f;
    qz_engine *e;
    qz_input_widths in;
    qz_adapter_place *place;       /* [adapter->n]; layer SIZE_MAX: stays as it is */
    double **gram; uint64_t *tokens; /* [inputs of the layer] NULL: nobody asks */
    size_t n_inputs;
    qz_status observed;
    qz_error *err;
} pass;

static qz_status no_memory(const qz_adapter_fit *f, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory fitting adapter '%s'", f->adapter->path);
}

static void observe(void *arg, const qz_observed *o) {
    pass *p = arg;
    if (o->input >= p->n_inputs || p->gram[o->input] == NULL || p->observed != QZ_OK) return;
    p->tokens[o->input] += o->n;
    p->observed = qz_mm_gram(qz_engine_mm(p->e), o->x, o->n, o->cols, p->gram[o->input], p->err);
}

/* ---- one pair ---- */
/* The matrix of base and artifact under the site's name; false: one of them has none, or another shape, or the same. */
typedef struct { const qz_tensor_view *x, *y; } sides;
static bool sides_of(const qz_adapter_fit *f, const qz_adapter_place *at, sides *out) {
    char name[QZ_SITE_NAME];
    if (!qz_site_name(&at->site, at->layer, at->expert, "weight", name, sizeof name)) return false;
    out->x = qz_model_find(f->base->model, name);
    out->y = qz_model_find(f->artifact->model, name);
    return out->x && out->y && out->x->rows == out->y->rows && out->x->cols == out->y->cols;
}

/* Buffers of one pair. */
typedef struct { float *w, *d, *ba, *a, *b, *gram; } room;
static bool reserve(room *r, size_t rows, size_t cols, size_t rank) {
    size_t n, square;
    if (!qz_mul_size(rows, cols, &n) || !qz_mul_size(cols, cols, &square)) return false;
    r->w = qz_alloc_aligned(n, sizeof *r->w);
    r->d = qz_alloc_aligned(n, sizeof *r->d);
    r->ba = qz_alloc_aligned(n, sizeof *r->ba);
    r->a = qz_alloc_aligned(rank * cols, sizeof *r->a);
    r->b = qz_alloc_aligned(2 * rank * (rows + cols), sizeof *r->b);
    r->gram = qz_alloc_aligned(square, sizeof *r->gram);
    return r->w && r->d && r->ba && r->a && r->b && r->gram;
}
static void drop(room *r) {
    float *const mine[] = {r->w, r->d, r->ba, r->a, r->b, r->gram};
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++) qz_free(mine[i]);
}

/* ba = s·B·A. */
static qz_status product(const pass *p, const qz_adapter_part *part, const room *r, qz_error *err) {
    const size_t rank = (size_t)part->a->dims[0], cols = (size_t)part->a->dims[1], rows = (size_t)part->b->dims[0];
    qz_adapter_floats(part->a, r->a);
    qz_adapter_floats(part->b, r->b);
    float *turned = r->b + rank * rows; /* [cols, rank] */
    qz_adapter_turn(r->a, rank, cols, turned);
    QZ_TRY(qz_mm_gemm_nt(qz_engine_mm(p->e), &(qz_product){rows, cols, rank, r->b, rank, turned, rank, r->ba, cols},
                         false, err));
    for (size_t i = 0; i < rows * cols; i++) r->ba[i] *= (float)part->scale;
    return QZ_OK;
}

/* What D loses under the moments. */
static qz_status energy_of(const pass *p, const float *d, const room *r, qz_low_rank_target t, double *out,
                           qz_error *err) {
    t.d = d;
    t.gram = r->gram;
    return qz_low_rank_energy(qz_engine_mm(p->e), &t, out, err);
}

static qz_status fit_with(const pass *p, size_t i, const sides *s, const room *r, qz_error *err) {
    qz_adapter_fit *f = p->f;
    const qz_adapter_part *part = &f->adapter->parts[i];
    qz_fitted_part *out = &f->parts[i];
    const size_t rows = s->x->rows, cols = s->x->cols, rank = (size_t)part->a->dims[0];
    const qz_low_rank_target t = {.d = r->d, .gram = r->gram, .rows = rows, .cols = cols, .rank = rank};
    const qz_diff_pair pair = {f->base, f->artifact, s->x, s->y, &f->folds.of[s->x - f->base->model->tensors]};
    qz_low_rank_gain gain;
    QZ_TRY(qz_diff_dense(&pair, r->w, r->d, err));
    QZ_TRY(product(p, part, r, err));
    size_t other = 0;
    for (size_t k = 0; k < rows * cols; k++) {
        other += r->w[k] < r->d[k] || r->w[k] > r->d[k];
        r->d[k] = r->w[k] - r->d[k];
        r->w[k] += r->ba[k];
    }
    if (other == 0) return QZ_OK; /* the pair is right as it is */
    QZ_TRY(energy_of(p, r->w, r, t, &out->energy, err));
    QZ_TRY(energy_of(p, r->d, r, t, &out->lost, err));
    for (size_t k = 0; k < rows * cols; k++) r->d[k] += r->ba[k];
    out->left = qz_arena_alloc(&f->arena, rows * rank, sizeof *out->left);
    out->right = qz_arena_alloc(&f->arena, cols * rank, sizeof *out->right);
    if (!out->left || !out->right) return no_memory(f, err);
    QZ_TRY(qz_low_rank_fit(qz_engine_mm(p->e), &t, out->left, out->right, &gain, err));
    out->left_over = gain.after;
    const float by = (float)(f->adapter->weight / part->scale); /* the file's own scale multiplies it again */
    for (size_t k = 0; k < rows * rank; k++) out->left[k] *= by;
    f->fitted++;
    f->energy += out->energy, f->lost += out->lost, f->left_over += out->left_over;
    return QZ_OK;
}

static qz_status fit_part(const pass *p, size_t i, qz_error *err) {
    const qz_adapter_place *at = &p->place[i];
    const size_t input = qz_site_input(&p->in, at->layer, &at->site, at->expert);
    const qz_adapter_part *part = &p->f->adapter->parts[i];
    sides s;
    room r = {0};
    if (p->tokens[input] == 0 || !sides_of(p->f, at, &s)) return QZ_OK;
    const size_t cols = s.x->cols;
    qz_status st = reserve(&r, s.x->rows, cols, (size_t)part->a->dims[0]) ? QZ_OK : no_memory(p->f, err);
    for (size_t k = 0; st == QZ_OK && k < cols * cols; k++)
        r.gram[k] = (float)(p->gram[input][k] / (double)p->tokens[input]);
    if (st == QZ_OK) st = fit_with(p, i, &s, &r, err);
    drop(&r);
    return st;
}

/* ---- the pass ---- */
static qz_status begin_layer(pass *p, size_t layer) {
    p->n_inputs = qz_inputs(&p->in, layer);
    p->gram = qz_calloc_array(p->n_inputs, sizeof *p->gram);
    p->tokens = qz_calloc_array(p->n_inputs, sizeof *p->tokens);
    if (!p->gram || !p->tokens) return no_memory(p->f, p->err);
    for (size_t i = 0; i < p->f->adapter->n; i++) {
        if (p->place[i].layer != layer) continue;
        const size_t at = qz_site_input(&p->in, layer, &p->place[i].site, p->place[i].expert);
        const size_t cols = qz_input_at(&p->in, layer, at).cols;
        if (p->gram[at] == NULL && (p->gram[at] = qz_calloc_array(cols, cols * sizeof(double))) == NULL)
            return no_memory(p->f, p->err);
    }
    return QZ_OK;
}

static void end_layer(pass *p) {
    for (size_t i = 0; p->gram && i < p->n_inputs; i++) qz_free(p->gram[i]);
    qz_free(p->gram);
    qz_free(p->tokens);
    p->gram = NULL, p->tokens = NULL;
}

static qz_status run_layer(pass *p, size_t layer, const qz_windows *w, float *hidden) {
    const size_t step = qz_max_size(1, CHUNK_TOKENS / w->seq_len),
                 wide = w->seq_len * (size_t)p->in.wide[QZ_WIDE_HIDDEN];
    QZ_TRY(begin_layer(p, layer));
    for (size_t at = 0; at < w->n_windows; at += step) {
        qz_engine_at(p->e, at, 0);
        QZ_TRY(qz_engine_block(p->e, layer, NULL, hidden + at * wide, qz_min_size(step, w->n_windows - at),
                               w->seq_len, p->err));
        QZ_TRY(p->observed);
    }
    for (size_t i = 0; i < p->f->adapter->n; i++)
        if (p->place[i].layer == layer) QZ_TRY(fit_part(p, i, p->err));
    qz_progress_step(p->f->run, "fitting", layer + 1, p->in.layers, "layers");
    return QZ_OK;
}

static void find_places(pass *p) {
    const qz_adapter *a = p->f->adapter;
    for (size_t i = 0; i < a->n; i++) {
        const qz_adapter_part *x = &a->parts[i];
        const bool pair = x->a && !x->whole && !x->add && !x->embedding;
        if (!pair || !qz_adapter_place_of(&p->f->base->model->config, x->target, &p->place[i]))
            p->place[i].layer = SIZE_MAX;
    }
}

static qz_status run_all(pass *p, const qz_windows *w, float *hidden) {
    qz_adapter_fit *f = p->f;
    const qz_engine_options o = {.arith = QZ_ARITH_EXACT, .lora = f->beside};
    find_places(p);
    QZ_TRY(qz_diff_folds_find(f->base, f->artifact, &f->arena, &f->folds, p->err));
    QZ_TRY(qz_engine_open(f->run, f->base->model, &o, &p->e, p->err));
    QZ_TRY(qz_engine_embed(p->e, w->ids, w->n_windows * w->seq_len, w->seq_len, hidden, p->err));
    qz_engine_observe(p->e, observe, p);
    qz_progress_begin(f->run);
    qz_status st = QZ_OK;
    for (size_t l = 0; l < p->in.layers && st == QZ_OK; l++) {
        st = run_layer(p, l, w, hidden);
        end_layer(p);
    }
    qz_progress_end(f->run);
    f->kept = f->adapter->n - f->fitted;
    return st;
}

qz_status qz_adapter_fit_moments(qz_adapter_fit *f, const qz_windows *w, qz_error *err) {
    pass p = {.f = f, .err = err};
    qz_input_widths_of(&f->base->model->config, &p.in);
    if (f->adapter->gguf)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "adapter '%s' is a GGUF file: a corrected adapter is written from a folder of PEFT "
                       "(adapter_config.json, adapter_model.safetensors); give that", f->adapter->path);
    for (size_t i = 0; i < f->adapter->n; i++)
        if (f->adapter->parts[i].a && f->adapter->parts[i].scale == 0)
            return qz_fail(err, QZ_EUSAGE,
                           "adapter '%s': expected a strength other than 0 (lora_alpha, or :SCALE behind its name), "
                           "found 0: there is no pair of that strength to fit; leave --calib out",
                           f->adapter->path);
    f->parts = qz_arena_calloc(&f->arena, f->adapter->n, sizeof *f->parts);
    p.place = qz_calloc_array(f->adapter->n, sizeof *p.place);
    float *hidden = qz_alloc_aligned(w->n_windows * w->seq_len, p.in.wide[QZ_WIDE_HIDDEN] * sizeof *hidden);
    qz_status st = f->parts && p.place && hidden ? run_all(&p, w, hidden) : no_memory(f, err);
    qz_engine_free(p.e);
    qz_free(p.place);
    qz_free(hidden);
    return st;
}

/* ---- the folder ---- */
typedef struct { const qz_adapter_fit *f; const qz_st *file; const char *data_sha; } folder;

/* The fitted values of a stored tensor, or NULL. */
static const float *values_of(const qz_adapter_fit *f, const char *name) {
    for (size_t i = 0; i < f->adapter->n; i++) {
        const qz_adapter_part *p = &f->adapter->parts[i];
        if (f->parts[i].left == NULL) continue;
        if (strcmp(p->a->name, name) == 0) return f->parts[i].right;
        if (strcmp(p->b->name, name) == 0) return f->parts[i].left;
    }
    return NULL;
}

static bool item_of(const void *job, size_t i, const qz_st **file, qz_st_item *out) {
    const folder *x = job;
    const qz_st_tensor *t = &x->file->tensors[i];
    *file = x->file;
    *out = (qz_st_item){.name = t->name, .dtype = values_of(x->f, t->name) ? QZ_ST_F32 : t->dtype, .n_dims = t->n_dims};
    memcpy(out->dims, t->dims, sizeof out->dims);
    return true;
}

static qz_status put_one(void *job, size_t i, qz_st_writer *out, qz_arena *scratch, qz_error *err) {
    const folder *x = job;
    const qz_st_tensor *t = &x->file->tensors[i];
    const float *v = values_of(x->f, t->name);
    (void)scratch;
    return v ? qz_st_writer_write(out, v, (size_t)t->elems * sizeof *v, err)
             : qz_st_writer_write(out, t->data, (size_t)t->bytes, err);
}

static qz_status say_origin(void *job, json_t *provenance, qz_error *err) {
    const folder *x = job;
    const qz_adapter_fit *f = x->f;
    json_t *fitted = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "adapter", qz_path_base(f->adapter->path),
                               "sha256", f->adapter->sha, "base_sha256", f->base->sha_hex, "artifact",
                               f->artifact->name, "artifact_sha256", f->artifact->sha_hex, "calibration_sha256",
                               x->data_sha, "pairs", (json_int_t)f->fitted, "pairs_kept", (json_int_t)f->kept);
    return json_object_set_new(provenance, "fitted_adapter", fitted) == 0 ? QZ_OK : no_memory(f, err);
}

qz_status qz_adapter_fit_write(const qz_adapter_fit *f, const char *path, const char *data_sha, qz_error *err) {
    qz_st file = f->adapter->file;
    const qz_st_dir dir = {.files = &file, .n_files = 1, .n_tensors = file.n}; /* borrowed */
    folder x = {f, &file, data_sha};
    qz_rewrite w = {.run = f->run, .from = f->adapter->path, .dir = &dir, .stage = "writing", .n = file.n,
                    .item = item_of, .put = put_one, .job = &x, .provenance = say_origin};
    qz_status st = qz_source_hash(f->run, f->base, err);
    if (st == QZ_OK) st = qz_source_hash(f->run, f->artifact, err);
    if (st == QZ_OK) st = qz_rewrite_folder(&w, path, err);
    return st;
}

void qz_adapter_fit_release(qz_adapter_fit *f) { qz_arena_release(&f->arena); }
