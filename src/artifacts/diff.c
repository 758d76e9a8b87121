#include "artifacts/diff_int.h"
#include "artifacts/artifact.h"
#include "base/io.h"
#include "base/mathx.h"
#include "base/size.h"
#include "formats/gguf.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- tensors ---- */
/* How a's values stand in b's tensor: in rows and columns of another order (rope pairs side by side, value heads in
 * turns), as -exp of them (rates: 1 b has them so, -1 a, 0 both or none). The same, unless one container has them
 * otherwise. */
typedef struct { bool rows, cols; int rates; qz_artifact_item row, col; } order;

static const qz_site *site_of(const qz_model *m, const char *name) {
    for (size_t l = 0; l < m->config.layers; l++)
        for (const qz_bound *b = m->blocks[l].sites; b < m->blocks[l].sites + m->blocks[l].n_sites; b++) {
            const bool one = b->weight[0] && strcmp(b->weight[0]->name, name) == 0;
            if (one || (b->bias && strcmp(b->bias[0]->name, name) == 0)) return &b->site;
        }
    return NULL;
}

static order order_of(const qz_model *a, const qz_model *b, const char *name, size_t n) {
    const size_t heads = qz_model_rotary_heads(a, name);
    const qz_config *c = &a->config;
    order o = {.rows = heads && c->rope.interleaved != b->config.rope.interleaved};
    o.row.heads = heads;
    o.row.permute = c->rope.interleaved ? QZ_PERMUTE_SPLIT : QZ_PERMUTE_INTERLEAVE;
    o.rows = o.rows && n % (2 * qz_max_size(heads, 1)) == 0;
    const qz_site *s = c->delta.k_heads && c->delta.rates != b->config.delta.rates ? site_of(a, name) : NULL;
    if (s == NULL) return o;
    o.rates = s->rates ? (b->config.delta.rates ? 1 : -1) : 0;
    if (c->delta.tiled == b->config.delta.tiled) return o;
    const qz_artifact_item turns = {.permute = c->delta.tiled ? QZ_PERMUTE_GROUP : QZ_PERMUTE_TILE,
                                    .heads = (size_t)c->delta.v_heads, .groups = (size_t)c->delta.k_heads};
    o.rows = s->value_rows && s->value_rows <= n;
    o.cols = s->value_cols > 0;
    o.row = o.col = turns;
    o.row.moved = (size_t)s->value_rows, o.col.moved = (size_t)s->value_cols;
    return o;
}

size_t qz_diff_row(const qz_model *a, const qz_model *b, const qz_tensor_view *x, size_t r) {
    const order o = order_of(a, b, x->name, x->rows);
    return o.rows ? qz_item_source_row(&o.row, x->rows, r) : r;
}

/* u: a row of a's tensor of n columns (or a vector, whose rows are its columns), w: as b has it. */
static void align(const order *o, bool vector, size_t n, const float *u, float *w) {
    for (size_t k = 0; k < n; k++)
        w[k] = u[o->rows && vector ? qz_item_source_row(&o->row, n, k)
                 : o->cols         ? qz_item_source_row(&o->col, n, k)
                                   : k];
    for (size_t k = 0; o->rates > 0 && k < n; k++) w[k] = (float)-qz_exp((double)w[k]);
}

void qz_diff_columns(const qz_model *a, const qz_model *b, const qz_tensor_view *x, const float *u, float *w) {
    const order o = order_of(a, b, x->name, x->rows == 1 ? x->cols : x->rows);
    align(&o, x->rows == 1, x->cols, u, w);
}

static void add(qz_diff_sums *s, float a, float b) {
    double d = (double)a - (double)b;
    if (a == b) d = 0; /* infinities of the same sign */
    s->different += !(d == 0);
    s->error += d * d;
    s->power += (double)a * (double)a;
    s->worst = fmax(s->worst, fabs(d));
    s->largest = fmax(s->largest, fabs((double)a));
}

/* v[k] times the scale of row r and column k. */
static void stretch(float *v, size_t n, size_t r, const qz_diff_scale *scale) {
    const float row = scale->row ? scale->row[r] : 1;
    for (size_t k = 0; k < n; k++) v[k] *= row * (scale->col ? scale->col[k] : 1);
}

typedef struct {
    order o;
    const qz_tensor_view *x, *y;
    const qz_diff_scale *scale; /* NULL: none */
    float x_lacks, y_lacks;     /* gains are compared */
} pair;
static pair pair_of(const qz_source *a, const qz_source *b, const qz_tensor_view *x, const qz_tensor_view *y,
                    const qz_diff_scale *scale) {
    return (pair){.o = order_of(a->model, b->model, x->name, x->rows == 1 ? x->cols : x->rows), .x = x, .y = y,
                  .scale = scale && (scale->row || scale->col) ? scale : NULL,
                  .x_lacks = qz_model_lacks(a->model, x->name), .y_lacks = qz_model_lacks(b->model, y->name)};
}

/* Row r of b, v [cols], and what a has there, w [cols]; u [cols] is scratch. */
static void pair_row(const pair *p, size_t r, float *u, float *w, float *v) {
    const size_t n = p->x->cols;
    const bool vector = p->x->rows == 1;
    const float more = p->x_lacks - p->y_lacks;
    qz_tensor_decode(p->y, r, 1, v);
    qz_tensor_decode(p->x, p->o.rows && !vector ? qz_item_source_row(&p->o.row, p->x->rows, r) : r, 1, u);
    for (size_t k = 0; p->o.rates < 0 && k < n; k++) v[k] = (float)-qz_exp((double)v[k]);
    for (size_t k = 0; k < n && more > 0; k++) u[k] += more;
    for (size_t k = 0; k < n && more < 0; k++) v[k] -= more;
    if (p->scale) {
        const float gain = fminf(p->x_lacks, p->y_lacks); /* what both still lack */
        for (size_t k = 0; k < n; k++) v[k] += gain;
        stretch(v, n, r, p->scale);
        for (size_t k = 0; k < n; k++) v[k] -= gain;
    }
    align(&p->o, vector, n, u, w);
}

qz_status qz_diff_compare(const qz_source *a, const qz_source *b, const qz_tensor_view *x, const qz_tensor_view *y,
                          const qz_diff_scale *scale, qz_diff_sums *s, qz_error *err) {
    size_t n = x->cols;
    float *u = qz_alloc_array(2 * n, sizeof *u), *w = u ? u + n : NULL, *v = qz_alloc_array(n, sizeof *v);
    qz_status st = u && v ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory comparing '%s'", x->name);
    const pair p = pair_of(a, b, x, y, scale);
    for (size_t r = 0; st == QZ_OK && r < x->rows; r++) { /* row r of b is row `from` of a */
        pair_row(&p, r, u, w, v);
        if (s->blocks) qz_block_errors_row(s->blocks, y, r, w, v);
        for (size_t k = 0; k < n; k++) add(s, w[k], v[k]);
    }
    qz_free(u);
    qz_free(v);
    if (x->data) qz_map_forget(x->data, x->bytes);
    if (y->data) qz_map_forget(y->data, y->bytes);
    return st;
}

qz_status qz_diff_matrices(const qz_diff_pair *d, size_t rows, float *w, float *v, qz_error *err) {
    const size_t cols = d->x->cols;
    float *u = qz_alloc_array(cols, sizeof *u);
    if (u == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory comparing '%s'", d->x->name);
    const pair p = pair_of(d->a, d->b, d->x, d->y, d->scale);
    for (size_t r = 0; r < rows; r++) pair_row(&p, r, u, w + r * cols, v + r * cols);
    qz_free(u);
    return QZ_OK;
}

qz_status qz_diff_dense(const qz_diff_pair *d, float *w, float *v, qz_error *err) {
    const qz_model *a = d->a->model, *b = d->b->model;
    const size_t rows = d->x->rows, cols = d->x->cols;
    float *u = qz_alloc_array(5 * cols, sizeof *u), *row = u + cols, *other = u + 2 * cols, *index = u + 3 * cols,
          *from = u + 4 * cols;
    if (u == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for '%s'", d->x->name);
    const pair p = pair_of(d->a, d->b, d->x, d->y, d->scale);
    for (size_t k = 0; k < cols; k++) index[k] = (float)k;
    qz_diff_columns(a, b, d->x, index, from); /* place k of b is column from[k] of a */
    for (size_t r = 0; r < rows; r++) {
        const size_t to = qz_diff_row(a, b, d->x, r) * cols;
        pair_row(&p, r, u, row, other);
        for (size_t k = 0; k < cols; k++) w[to + (size_t)from[k]] = row[k], v[to + (size_t)from[k]] = other[k];
    }
    qz_free(u);
    return QZ_OK;
}

static void type_text(const qz_tensor_view *t, char out[40]) {
    char buf[32];
    (void)snprintf(out, 40, "%s", t ? qz_tensor_type_text(t, buf) : "");
}

static qz_status diff_tensors(qz_run *run, const qz_source *a, const qz_source *b, qz_arena *arena, qz_diff *out,
                              qz_error *err) {
    const qz_model *m[2] = {a->model, b->model};
    qz_diff_sums all = {0};
    qz_diff_folds folds;
    QZ_TRY(qz_diff_folds_find(a, b, arena, &folds, err));
    out->folds = folds.n;
    out->tensors = qz_arena_calloc(arena, m[0]->n_tensors + m[1]->n_tensors, sizeof *out->tensors);
    if (!out->tensors) return qz_fail(err, QZ_EMEMORY, "out of memory comparing");
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < m[side]->n_tensors; i++) {
            const qz_tensor_view *t = &m[side]->tensors[i], *o = qz_model_find(m[!side], t->name);
            if (side == 1 && o) continue; /* seen from the other side */
            qz_tensor_diff *d = &out->tensors[out->n_tensors++];
            *d = (qz_tensor_diff){.name = t->name, .rows = t->rows, .cols = t->cols,
                                  .same_shape = o && o->rows == t->rows && o->cols == t->cols};
            type_text(t, d->type[side]);
            type_text(o, d->type[!side]);
            if (!d->same_shape) {
                out->missing++;
                continue;
            }
            const qz_diff_scale *scale = &folds.of[t - a->model->tensors]; /* side 0: what both have was seen there */
            qz_diff_sums s = {.blocks = qz_block_errors_begin(&out->blocks, o) ? &out->blocks : NULL};
            QZ_TRY(qz_diff_compare(a, b, t, o, scale, &s, err));
            d->folded = scale->row || scale->col;
            out->folded += d->folded;
            d->different = s.different;
            d->rms = s.power > 0 ? sqrt(s.error / s.power) : s.error > 0 ? INFINITY : 0;
            d->worst = s.largest > 0 ? s.worst / s.largest : s.worst > 0 ? INFINITY : 0;
            *(s.different ? &out->unequal : &out->equal) += 1;
            all.error += s.error;
            all.power += s.power;
            qz_progress_step(run, "comparing", out->n_tensors, m[0]->n_tensors, "tensors");
        }
    out->rms = all.power > 0 ? sqrt(all.error / all.power) : 0;
    return QZ_OK;
}

/* ---- everything else ---- */
typedef struct { qz_diff *d; qz_error *err; } sheet;

qz_status qz_diff_fact(qz_diff *d, const char *subject, const char *a, const char *b, qz_error *err) {
    QZ_TRY(qz_table_row(&d->other, err));
    QZ_TRY(qz_table_set(&d->other, 0, err, "%s", subject));
    QZ_TRY(qz_table_set(&d->other, 1, err, "%s", a));
    QZ_TRY(qz_table_set(&d->other, 2, err, "%s", b));
    d->facts++;
    return QZ_OK;
}
static qz_status differ(sheet *s, const char *subject, const char *a, const char *b) {
    return qz_diff_fact(s->d, subject, a, b, s->err);
}
static qz_status fact(sheet *s, const char *subject, const char *a, const char *b) {
    return strcmp(a, b) ? differ(s, subject, a, b) : QZ_OK;
}
static qz_status number(sheet *s, const char *subject, double a, double b) {
    char x[32], y[32];
    (void)snprintf(x, sizeof x, "%.7g", a); /* float32 in GGUF, double in config.json: equal to seven digits */
    (void)snprintf(y, sizeof y, "%.7g", b);
    return fact(s, subject, x, y);
}

/* Containers spell one rotation in several ways (GGUF: factors as a tensor): the frequencies are compared, of a short
 * call and of the longest. */
static qz_status diff_rope(sheet *s, const qz_config *x, const qz_config *y) {
    float a[QZ_MAX_ROPE_PAIRS], b[QZ_MAX_ROPE_PAIRS], fa, fb;
    char p[64], q[64];
    if (x->rotary_dim != y->rotary_dim)
        return number(s, "rotary values", (double)x->rotary_dim, (double)y->rotary_dim);
    for (int longest = 0; longest < 2; longest++) {
        const size_t length = longest ? (size_t)qz_min_size(x->max_position, y->max_position) : 1,
                     pairs = (size_t)x->rotary_dim / 2;
        qz_rope_frequencies(x, false, length, a, &fa);
        qz_rope_frequencies(y, false, length, b, &fb);
        for (size_t k = 0; k < pairs; k++) {
            if (fabs((double)a[k] - (double)b[k]) <= 1e-5 * fabs((double)a[k]) &&
                fabs((double)fa - (double)fb) <= 1e-5)
                continue;
            (void)snprintf(p, sizeof p, "%.6g x %.6g", (double)a[k], (double)fa);
            (void)snprintf(q, sizeof q, "%.6g x %.6g", (double)b[k], (double)fb);
            char name[64];
            (void)snprintf(name, sizeof name, "rope frequency %zu of %zu", k, pairs);
            return fact(s, name, p, q);
        }
    }
    return QZ_OK;
}

static qz_status diff_config(sheet *s, const qz_model *a, const qz_model *b) {
    const qz_config *x = &a->config, *y = &b->config;
    const struct { const char *name; double a, b; } rows[] = {
        {"vocab_size", (double)x->vocab_size, (double)y->vocab_size},
        {"hidden_size", (double)x->hidden_size, (double)y->hidden_size},
        {"intermediate_size", (double)x->intermediate_size, (double)y->intermediate_size},
        {"layers", (double)x->layers, (double)y->layers}, {"heads", (double)x->heads, (double)y->heads},
        {"kv_heads", (double)x->kv_heads, (double)y->kv_heads}, {"head_dim", (double)x->head_dim, (double)y->head_dim},
        {"max_position", (double)x->max_position, (double)y->max_position},
        {"rms_norm_eps", x->rms_norm_eps, y->rms_norm_eps}, {"rope theta", x->rope.theta, y->rope.theta},
        {"sliding_window", (double)x->sliding_window, (double)y->sliding_window},
        {"tied embeddings", x->tie_embeddings, y->tie_embeddings}, {"bos", (double)x->bos_id, (double)y->bos_id},
        {"eos", x->n_eos ? (double)x->eos_ids[0] : -1, y->n_eos ? (double)y->eos_ids[0] : -1},
    };
    QZ_TRY(fact(s, "family", qz_family_get(x->family)->name, qz_family_get(y->family)->name));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) QZ_TRY(number(s, rows[i].name, rows[i].a, rows[i].b));
    QZ_TRY(diff_rope(s, x, y));
    for (int i = 0; i < QZ_NUMBERS; i++)
        if (qz_family_get(x->family)->numbers[i] > 0)
            QZ_TRY(number(s, qz_number_get(i)->key, qz_config_number(x, i), qz_config_number(y, i)));
    return QZ_OK;
}

/* Keys of one GGUF file that the other lacks or has with another value. */
static qz_status diff_keys(sheet *s, const char *const paths[2]) {
    qz_gguf g[2];
    memset(g, 0, sizeof g);
    qz_status st = qz_gguf_open(&g[0], paths[0], s->err);
    if (st == QZ_OK) st = qz_gguf_open(&g[1], paths[1], s->err);
    for (int side = 0; side < 2 && st == QZ_OK; side++)
        for (size_t i = 0; i < g[side].n_kv && st == QZ_OK; i++) {
            const qz_gguf_kv *k = &g[side].kv[i], *o = qz_gguf_key(&g[!side], k->key);
            if (o && (side ||
                      (o->kind == k->kind && o->bytes == k->bytes && memcmp(o->data, k->data, (size_t)k->bytes) == 0)))
                continue;
            const char *here = o ? "one value" : "there", *other = o ? "another" : "not there";
            st = fact(s, k->key, side ? other : here, side ? here : other);
        }
    qz_gguf_release(&g[0]);
    qz_gguf_release(&g[1]);
    return st;
}

static const char sample[] =
    "Hello, world! 12345 + 678 = 12,345.6\n\n  def f(x):\n\treturn x  # caf\xc3\xa9 na\xc3\xafve e\xcc\x81\n"
    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e \xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xf0\x9f\x99\x82 "
    "<|im_start|>user\nWhat's it's I'll<|im_end|>";

static qz_status diff_ids(sheet *s, const qz_tokenizer *a, const qz_tokenizer *b) {
    qz_ids x = {0}, y = {0};
    const unsigned flags = QZ_ENCODE_SPECIAL | QZ_ENCODE_PARSE_SPECIAL;
    qz_status st = qz_tokenizer_encode(a, sample, sizeof sample - 1, flags, &x, s->err);
    if (st == QZ_OK) st = qz_tokenizer_encode(b, sample, sizeof sample - 1, flags, &y, s->err);
    if (st == QZ_OK && (x.n != y.n || memcmp(x.ids, y.ids, x.n * sizeof *x.ids))) {
        char p[48], q[48];
        size_t k = 0;
        while (k < qz_min_size(x.n, y.n) && x.ids[k] == y.ids[k]) k++;
        (void)snprintf(p, sizeof p, "%zu ids, %ld at %zu", x.n, k < x.n ? (long)x.ids[k] : -1, k);
        (void)snprintf(q, sizeof q, "%zu ids, %ld at %zu", y.n, k < y.n ? (long)y.ids[k] : -1, k);
        st = fact(s, "ids of a sample text", p, q);
    }
    qz_ids_release(&x);
    qz_ids_release(&y);
    return st;
}

static qz_status diff_tokens(sheet *s, const qz_tokenizer *a, const qz_tokenizer *b) {
    if (!a || !b) return fact(s, "tokenizer", a ? "there" : "none", b ? "there" : "none");
    size_t n = qz_min_size(qz_tokenizer_vocab_size(a), qz_tokenizer_vocab_size(b)), different = 0, first = 0;
    for (uint32_t i = 0; i < n; i++) {
        size_t p = 0, q = 0;
        const char *x = qz_tokenizer_token(a, i, &p), *y = qz_tokenizer_token(b, i, &q);
        if ((!x && !y) || (x && y && p == q && memcmp(x, y, p) == 0)) continue;
        if (different++ == 0) first = i;
    }
    char text[64];
    (void)snprintf(text, sizeof text, "%zu differ, first %zu", different, first);
    if (different) QZ_TRY(fact(s, "tokens", "", text));
    QZ_TRY(
        number(s, "tokens of the vocabulary", (double)qz_tokenizer_vocab_size(a), (double)qz_tokenizer_vocab_size(b)));
    QZ_TRY(number(s, "tokenizer bos", (double)qz_tokenizer_bos(a), (double)qz_tokenizer_bos(b)));
    QZ_TRY(number(s, "tokenizer eos", (double)qz_tokenizer_eos(a), (double)qz_tokenizer_eos(b)));
    QZ_TRY(number(s, "tokenizer adds bos", qz_tokenizer_adds_bos(a), qz_tokenizer_adds_bos(b)));
    return diff_ids(s, a, b);
}

static qz_status diff_template(sheet *s, const qz_tokenizer *a, const qz_tokenizer *b) {
    const char *x = a ? qz_tokenizer_chat_template(a) : NULL, *y = b ? qz_tokenizer_chat_template(b) : NULL;
    if ((!x && !y) || (x && y && strcmp(x, y) == 0)) return QZ_OK;
    char p[48] = "none", q[48] = "none";
    size_t k = 0;
    while (x && y && x[k] == y[k]) k++;
    if (x) (void)snprintf(p, sizeof p, "%zu bytes, other from %zu", strlen(x), k);
    if (y) (void)snprintf(q, sizeof q, "%zu bytes, other from %zu", strlen(y), k);
    return differ(s, "chat template", p, q);
}

qz_status qz_diff_facts(const qz_source *a, const qz_source *b, const char *const paths[2], qz_arena *arena,
                        qz_diff *out, qz_error *err) {
    static const qz_column cols[] = {{"Subject", 'l'}, {"A", 'l'}, {"B", 'l'}};
    sheet s = {out, err};
    *out = (qz_diff){.tensors = NULL};
    QZ_TRY(qz_table_init(&out->other, arena, NULL, cols, 3, err));
    QZ_TRY(diff_config(&s, a->model, b->model));
    if (strncmp(a->model->container, "gguf", 4) == 0 && strncmp(b->model->container, "gguf", 4) == 0)
        QZ_TRY(diff_keys(&s, paths));
    QZ_TRY(qz_diff_json(paths, out, err));
    QZ_TRY(qz_diff_leftovers((const qz_source *const[2]){a, b}, paths, out, err));
    QZ_TRY(diff_tokens(&s, a->tokenizer, b->tokenizer));
    return diff_template(&s, a->tokenizer, b->tokenizer);
}

qz_status qz_diff_run(qz_run *run, const qz_source *a, const qz_source *b, const char *const paths[2], qz_arena *arena,
                      qz_diff *out, qz_error *err) {
    QZ_TRY(qz_diff_facts(a, b, paths, arena, out, err));
    qz_progress_begin(run);
    const qz_status st = diff_tensors(run, a, b, arena, out, err);
    qz_progress_end(run);
    return st;
}
