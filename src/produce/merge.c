#include "produce/merge.h"
#include "artifacts/folder.h"
#include "artifacts/open.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "codecs/types.h"
#include "methods/low_rank.h"
#include "model/checkpoint.h"
#include "produce/rewrite.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { NAME = 600, CONFIG_LIMIT = 16 << 20, PIECE = 1 << 20 }; /* values of a piece of rows */
static const char head_name[] = "lm_head.weight", embed_name[] = "embed_tokens.weight";

static qz_status no_memory(const qz_merge *m, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory merging into '%s'", m->r->operands[0]);
}

/* ---- what is merged where ---- */
static qz_status list_tensors(qz_merge *m, qz_error *err) {
    m->t = qz_arena_calloc(&m->arena, m->dir.n_tensors + 1, sizeof *m->t); /* one more: an untied head */
    if (m->t == NULL) return no_memory(m, err);
    for (size_t f = 0; f < m->dir.n_files; f++)
        for (size_t i = 0; i < m->dir.files[f].n; i++) {
            const qz_st_tensor *t = &m->dir.files[f].tensors[i];
            m->t[m->n++] = (qz_merge_tensor){.file = &m->dir.files[f], .t = t, .name = t->name};
        }
    return QZ_OK;
}

static qz_merge_tensor *find(qz_merge *m, const char *target) {
    char buf[NAME];
    for (size_t k = 0; qz_adapter_spelling(target, k, buf, sizeof buf); k++) {
        const qz_st_tensor *t = qz_st_dir_find(&m->dir, buf, NULL);
        for (size_t i = 0; t && i < m->n; i++)
            if (m->t[i].t == t && !m->t[i].added) return &m->t[i];
    }
    return NULL;
}

/* A tensor that an adapter holds whole takes no weight and no second adapter: either would be lost. */
static qz_status alone(const qz_merge *m, const qz_merge_tensor *x, const qz_merge_hit *hit, qz_error *err) {
    const qz_adapter *a = &m->adapters[hit->adapter];
    if (hit->part->whole && a->weight != 1)
        return qz_fail(err, QZ_EUSAGE,
                       "adapter '%s' holds '%s' whole, which a weight of %g cannot scale: give it without :SCALE",
                       a->path, hit->part->target, a->weight);
    for (size_t i = 0; i < x->n; i++) {
        const qz_merge_hit *other = &x->hits[i];
        if (other->adapter == hit->adapter || (!hit->part->whole && !other->part->whole)) continue;
        return qz_fail(err, QZ_EUSAGE,
                       "two adapters for one tensor: '%s' and '%s' both change '%s', and one holds it whole: merge one "
                       "of them",
                       m->adapters[other->adapter].path, a->path, hit->part->target);
    }
    return QZ_OK;
}

static qz_status add_hit(qz_merge *m, qz_merge_tensor *x, const qz_merge_hit *hit, qz_error *err) {
    QZ_TRY(alone(m, x, hit, err));
    qz_merge_hit *more = qz_arena_alloc(&m->arena, x->n + 1, sizeof *more);
    if (more == NULL) return no_memory(m, err);
    if (x->n) memcpy(more, x->hits, x->n * sizeof *more);
    more[x->n++] = *hit;
    x->hits = more;
    return QZ_OK;
}

static qz_status fits(const qz_merge *m, const qz_merge_tensor *x, qz_merge_hit *hit, qz_error *err) {
    const qz_adapter *a = &m->adapters[hit->adapter];
    const qz_st_tensor *t = x->t;
    if (qz_st_float_type(t->dtype) == QZ_TYPE_NONE || t->n_dims < 1 || t->n_dims > 2)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "base is not a matrix of floats: file '%s', tensor '%s', offset %llu: expected F32, F16 or BF16 "
                       "of 1 or 2 dimensions for adapter '%s', found %s of %u; merge into the checkpoint before it was "
                       "quantized, its experts one by one",
                       x->file->path, t->name, (unsigned long long)t->offset, a->path, qz_st_dtype_name(t->dtype),
                       t->n_dims);
    return qz_adapter_fits(a, hit->part, t->n_dims == 2 ? t->dims[0] : 1, t->dims[t->n_dims - 1], &hit->turned, err);
}

/* The embedding of a base that stores no output matrix. */
static qz_merge_tensor *tied_embedding(qz_merge *m) {
    if (find(m, head_name)) return NULL;
    for (size_t i = 0; i < m->n; i++)
        if (qz_str_ends(m->t[i].name, embed_name) && m->t[i].t->n_dims == 2) return &m->t[i];
    return NULL;
}

static qz_status missing(const qz_merge *m, const qz_adapter *a, const qz_adapter_part *p, qz_error *err) {
    qz_near near = {.word = p->target};
    for (size_t i = 0; i < m->n; i++) qz_near_see(&near, m->t[i].name);
    const qz_st_tensor *t = p->a ? p->a : p->whole ? p->whole : p->add;
    return qz_fail(err, QZ_EFORMAT,
                   "adapter of another model: file '%s', tensor '%s': the base '%s' has no tensor '%s'%s%s%s",
                   a->file.path, t->name, m->r->operands[0], p->target, near.best ? "; the nearest is '" : "",
                   near.best ? near.best : "", near.best ? "'" : "");
}

/* Of an adapter that holds embedding and output matrix whole and alike: the embedding says it all. */
static bool same_as_embedding(const qz_adapter *a, const qz_adapter_part *head) {
    for (size_t i = 0; i < a->n; i++) {
        const qz_adapter_part *e = &a->parts[i];
        if (!qz_str_ends(e->target, embed_name) || !e->whole || !head->whole || e->a || head->a) continue;
        return e->whole->dtype == head->whole->dtype && e->whole->bytes == head->whole->bytes &&
               memcmp(e->whole->data, head->whole->data, (size_t)e->whole->bytes) == 0;
    }
    return false;
}

static qz_status place_part(qz_merge *m, size_t which, const qz_adapter_part *p, qz_merge_tensor *tied, bool *untie,
                            qz_error *err) {
    const qz_adapter *a = &m->adapters[which];
    qz_merge_hit hit = {which, p, false};
    qz_merge_tensor *x = find(m, p->target);
    const bool head = tied && x == NULL && qz_str_ends(p->target, head_name);
    if (head && same_as_embedding(a, p)) return QZ_OK;
    if (head) x = &m->t[m->dir.n_tensors];
    if (x == NULL) return missing(m, a, p, err);
    if (tied && (head || x == tied)) {
        bool alike = false;
        for (size_t i = 0; i < a->n; i++)
            alike |= qz_str_ends(a->parts[i].target, head_name) && same_as_embedding(a, &a->parts[i]);
        *untie |= head || !alike;
        if (a->ties)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "adapter of a tied embedding: file '%s', key 'ensure_weight_tying' with tensor '%s' is not "
                           "computed here: expected false; merge it with the library that trained it",
                           a->path, p->target);
    }
    QZ_TRY(fits(m, x, &hit, err));
    return add_hit(m, x, &hit, err);
}

/* The word in the configuration, and in that of its text part, that ties the two. */
static qz_status untie(qz_merge *m, qz_error *err) {
    char *path = qz_path_join(m->r->operands[0], "config.json");
    qz_status st = path ? qz_json_load(path, CONFIG_LIMIT, &m->config, err) : no_memory(m, err);
    qz_free(path);
    QZ_TRY(st);
    json_t *text = json_object_get(m->config, "text_config");
    if (json_object_set_new(m->config, "tie_word_embeddings", json_false()) != 0 ||
        (json_is_object(text) && json_object_set_new(text, "tie_word_embeddings", json_false()) != 0))
        return no_memory(m, err);
    qz_info(m->run, "note: the output matrix was the embedding (tied) and becomes a tensor of its own: one of the "
                    "two is adapted");
    return QZ_OK;
}

static qz_status place(qz_merge *m, qz_error *err) {
    qz_merge_tensor *tied = tied_embedding(m);
    bool apart = false;
    if (tied)
        m->t[m->n] = (qz_merge_tensor){.file = tied->file, .t = tied->t, .name = head_name, .added = true};
    for (size_t k = 0; k < m->n_adapters; k++)
        for (size_t i = 0; i < m->adapters[k].n; i++)
            QZ_TRY(place_part(m, k, &m->adapters[k].parts[i], tied, &apart, err));
    if (!apart) return QZ_OK;
    m->n++;
    return untie(m, err);
}

/* Codes are no place for an adapter: W of float32 and its codes are two models. */
static qz_status refuse_codes(const char *base, qz_error *err) {
    qz_folder_config c = {0};
    qz_status st = qz_folder_config_load(base, &c, err);
    const char *method = st == QZ_OK && c.q && !qz_folder_bnb_off(c.q) ? qz_folder_method(&c) : NULL;
    if (method)
        st = qz_fail(err, QZ_EUNSUPPORTED,
                     "base is quantized: '%s': expected the float checkpoint that the adapter was trained on, found "
                     "%s; merge there, then quantize the result",
                     base, method);
    qz_folder_config_release(&c);
    return st;
}

/* The parts of an adapter from a GGUF file, by the base's configuration. */
static qz_status settle(const qz_merge *m, qz_adapter *a, qz_error *err) {
    if (a->gguf == NULL) return QZ_OK;
    char *path = qz_path_join(m->r->operands[0], "config.json");
    qz_config c;
    qz_status st = path ? qz_config_load(path, &c, err) : no_memory(m, err);
    if (st == QZ_OK) st = qz_adapter_settle(m->run, a, &c, err);
    qz_free(path);
    return st;
}

qz_status qz_merge_find(qz_merge *m, qz_error *err) {
    const char *base = m->r->operands[0];
    if (!qz_path_exists(base)) return qz_path_missing(base, err);
    if (!qz_path_is_dir(base))
        return qz_fail(err, QZ_EUSAGE,
                       "not a checkpoint: '%s': expected the folder of safetensors that the adapter was trained on, "
                       "found %s; a GGUF file takes an adapter beside it ('quantz convert ADAPTER --to gguf')",
                       base, qz_path_kind_text(base));
    QZ_TRY(refuse_codes(base, err));
    QZ_TRY(qz_st_dir_open(&m->dir, base, err));
    m->adapters = qz_arena_calloc(&m->arena, m->r->n_operands, sizeof *m->adapters);
    if (m->adapters == NULL) return no_memory(m, err);
    for (size_t i = 1; i < m->r->n_operands; i++) {
        QZ_TRY(qz_adapter_open(m->r->operands[i], &m->adapters[m->n_adapters], err));
        QZ_TRY(settle(m, &m->adapters[m->n_adapters++], err));
    }
    QZ_TRY(list_tensors(m, err));
    return place(m, err);
}

/* ---- the arithmetic ---- */
typedef struct {
    qz_st_dtype dtype;
    const float *x;
    const uint8_t *was;
    uint8_t *out;
    size_t n;
    atomic_ullong changed;
    atomic_bool wild;
} round_job;

static void round_rows(void *arg, qz_part part) {
    round_job *j = arg;
    const qz_type type = qz_st_float_type(j->dtype);
    const size_t each = qz_type_get(type)->bytes;
    size_t lo, hi;
    uint64_t changed = 0;
    qz_split(j->n, 64, part, &lo, &hi);
    if (lo >= hi) return;
    qz_type_get(type)->encode(j->x + lo, NULL, hi - lo, j->out + lo * each);
    if (!qz_floats_finite(type, j->out + lo * each, hi - lo)) atomic_store(&j->wild, true);
    for (size_t i = lo; i < hi; i++) changed += memcmp(j->out + i * each, j->was + i * each, each) != 0;
    atomic_fetch_add(&j->changed, changed);
}

/* Both factors of each hit as they multiply. */
static qz_status factors(const qz_merge_tensor *x, qz_merge *m, qz_arena *scratch, qz_low_rank *out, qz_error *err) {
    for (size_t i = 0; i < x->n; i++) {
        const qz_adapter_part *p = x->hits[i].part;
        out[i] = (qz_low_rank){0};
        if (p->a == NULL) continue;
        const size_t rank = (size_t)p->a->dims[0], in = (size_t)p->a->dims[1], rows = (size_t)p->b->dims[0];
        float *a = qz_arena_alloc(scratch, rank * in, sizeof *a), *at = qz_arena_alloc(scratch, rank * in, sizeof *at),
              *b = qz_arena_alloc(scratch, rank * rows, sizeof *b);
        if (!a || !at || !b) return no_memory(m, err);
        qz_adapter_floats(p->a, a);
        qz_adapter_floats(p->b, b);
        qz_adapter_turn(a, rank, in, at);
        out[i] = (qz_low_rank){x->hits[i].turned ? at : b, x->hits[i].turned ? b : at, rank,
                               x->hits[i].turned ? rows : in, (float)p->scale};
    }
    return QZ_OK;
}

static void floats_at(const qz_st_tensor *t, size_t first, size_t n, float *out) {
    const qz_type type = qz_st_float_type(t->dtype);
    const qz_tensor_view v = {.type = type, .rows = 1, .cols = n, .data = t->data + first * qz_type_get(type)->bytes};
    qz_tensor_decode(&v, 0, 1, out);
}

/* Of n rows that came out as no numbers: the base's own value, if that is none, and not the adapter. */
static qz_status blame(const qz_merge *m, const qz_merge_tensor *x, size_t first, size_t n, float *row,
                       qz_error *err) {
    const size_t cols = (size_t)x->t->dims[x->t->n_dims - 1];
    for (size_t r = first; r < first + n; r++) {
        floats_at(x->t, r * cols, cols, row);
        for (size_t k = 0; k < cols; k++)
            if (!isfinite(row[k]))
                return qz_fail(err, QZ_ENONFINITE,
                               "non-finite weight of the base model: file '%s', tensor '%s', row %zu, column %zu: "
                               "found %f; repair the base",
                               x->file->path, x->t->name, r, k, (double)row[k]);
    }
    return qz_fail(err, QZ_ENONFINITE,
                   "merged values that %s cannot hold: adapter '%s', tensor '%s', rows %zu to %zu; check the adapter's "
                   "scale",
                   qz_st_dtype_name(x->t->dtype), m->adapters[x->hits[0].adapter].path, x->name, first, first + n - 1);
}

/* Rows [first, first + n) as float32: buf has room for them twice. */
static qz_status merge_rows(qz_merge *m, const qz_merge_tensor *x, const qz_low_rank *low, size_t first, size_t n,
                            float *buf, qz_error *err) {
    const size_t cols = (size_t)x->t->dims[x->t->n_dims - 1], all = n * cols;
    float *more = buf + all;
    floats_at(x->t, first * cols, all, buf);
    for (size_t i = 0; i < x->n; i++) {
        const qz_adapter_part *p = x->hits[i].part;
        if (p->whole) floats_at(p->whole, first * cols, all, buf);
        if (p->add) floats_at(p->add, first * cols, all, more);
        for (size_t k = 0; p->add && k < all; k++) buf[k] += (float)p->scale * more[k];
        if (p->a) QZ_TRY(qz_low_rank_add(m->mm, &low[i], first, n, buf, more, err));
    }
    return QZ_OK;
}

static qz_status put_merged(qz_merge *m, const qz_merge_tensor *x, qz_st_writer *out, qz_arena *scratch,
                            qz_error *err) {
    const size_t rows = x->t->n_dims == 2 ? (size_t)x->t->dims[0] : 1, cols = (size_t)x->t->dims[x->t->n_dims - 1],
                 each = qz_type_get(qz_st_float_type(x->t->dtype))->bytes,
                 most = qz_min_size(qz_max_size(1, PIECE / qz_max_size(1, cols)), qz_max_size(1, rows));
    qz_low_rank *low = qz_arena_alloc(scratch, x->n + 1, sizeof *low);
    float *buf = qz_arena_alloc(scratch, 2 * most * cols + 1, sizeof *buf);
    uint8_t *bytes = qz_arena_alloc(scratch, most * cols + 1, each);
    if (!low || !buf || !bytes) return no_memory(m, err);
    QZ_TRY(factors(x, m, scratch, low, err));
    for (size_t r = 0; r < rows; r += most) {
        const size_t n = qz_min_size(most, rows - r);
        QZ_TRY(merge_rows(m, x, low, r, n, buf, err));
        round_job j = {.dtype = x->t->dtype, .x = buf, .was = x->t->data + r * cols * each, .out = bytes,
                       .n = n * cols};
        qz_pool_run(m->run->pool, 0, round_rows, &j);
        if (atomic_load(&j.wild)) return blame(m, x, r, n, buf, err);
        m->values_changed += atomic_load(&j.changed);
        QZ_TRY(qz_st_writer_write(out, bytes, n * cols * each, err));
    }
    m->values += (uint64_t)rows * cols;
    return QZ_OK;
}

/* ---- writing ---- */
static bool item_of(const void *job, size_t i, const qz_st **file, qz_st_item *out) {
    const qz_merge_tensor *x = &((const qz_merge *)job)->t[i];
    *file = x->file;
    *out = (qz_st_item){.name = x->name, .dtype = x->t->dtype, .n_dims = x->t->n_dims};
    memcpy(out->dims, x->t->dims, sizeof out->dims);
    return true;
}

static qz_status put_one(void *job, size_t i, qz_st_writer *out, qz_arena *scratch, qz_error *err) {
    qz_merge *m = job;
    const qz_merge_tensor *x = &m->t[i];
    bool product = false;
    for (size_t k = 0; k < x->n; k++) product |= x->hits[k].part->a || x->hits[k].part->add;
    if (x->added) m->added++;
    else if (product) m->merged++;
    else if (x->n) m->replaced++;
    else m->exact++;
    if (x->n) return put_merged(m, x, out, scratch, err);
    return x->t->bytes ? qz_st_writer_write(out, x->t->data, (size_t)x->t->bytes, err) : QZ_OK;
}

static qz_status say_sources(void *job, json_t *provenance, qz_error *err) {
    const qz_merge *m = job;
    json_t *list = json_array();
    for (size_t i = 0; i < m->n_adapters; i++) {
        const qz_adapter *a = &m->adapters[i];
        json_t *one = json_pack("{s:s, s:s, s:I, s:f, s:b, s:f}", "name", qz_path_base(a->path), "sha256", a->sha, "r",
                                (json_int_t)a->rank, "lora_alpha", a->alpha, "use_rslora", (int)a->rslora, "weight",
                                a->weight);
        if (list == NULL || json_array_append_new(list, one) != 0) {
            json_decref(list);
            return no_memory(m, err);
        }
    }
    json_t *merged = json_pack("{s:s, s:s, s:o, s:I, s:I}", "base", qz_path_base(m->r->operands[0]), "base_sha256",
                               m->base_sha, "adapters", list, "tensors_merged", (json_int_t)m->merged, "tensors_exact",
                               (json_int_t)m->exact);
    return json_object_set_new(provenance, "merged", merged) == 0 ? QZ_OK : no_memory(m, err);
}

/* The hash of all tensors of the base, whatever its sharding. */
static qz_status hash_base(qz_merge *m, qz_error *err) {
    qz_source s = {0};
    qz_run silent = *m->run;
    qz_error e = {0};
    silent.log = NULL, silent.hook = NULL, silent.accept = "*";
    qz_status st = qz_source_open(&silent, m->r->operands[0], &s, &e);
    if (st == QZ_OK) st = qz_source_hash(m->run, &s, err);
    else if (st == QZ_EUNSUPPORTED) st = QZ_OK;
    else st = qz_fail(err, st, "%s", e.text);
    if (st == QZ_OK) memcpy(m->base_sha, s.sha_hex, sizeof m->base_sha);
    qz_source_release(&s);
    return st;
}

/* It opens as the model that the base was; a family that does not run here is said. */
static qz_status prove(qz_merge *m, qz_error *err) {
    qz_model *model = NULL;
    qz_error e = {0};
    qz_run silent = *m->run;
    silent.log = NULL, silent.hook = NULL;
    const qz_status st = qz_artifact_open(&silent, m->partial, &model, &e);
    qz_model_free(model);
    if (st == QZ_OK) return QZ_OK;
    if (st != QZ_EUNSUPPORTED) return qz_fail(err, st, "the merged folder does not open: %s", e.text);
    const char *at = strstr(e.text, m->partial); /* a text about the temporary folder */
    m->opens = at ? qz_arena_printf(&m->arena, "%.*s%s%s", (int)(at - e.text), e.text, m->out, at + strlen(m->partial))
                  : qz_arena_strdup(&m->arena, e.text);
    return QZ_OK;
}

qz_status qz_merge_write(qz_merge *m, qz_error *err) {
    qz_str s = {0};
    qz_str_printf(&s, "%s.partial", m->out);
    m->partial = s.failed ? NULL : qz_strdup(s.ptr);
    qz_str_release(&s);
    if (m->partial == NULL) return no_memory(m, err);
    QZ_TRY(qz_disk_check(m->out, m->dir.file_bytes + (m->n > m->dir.n_tensors ? m->t[m->n - 1].t->bytes : 0), err));
    QZ_TRY(hash_base(m, err));
    QZ_TRY(qz_mm_open(m->run, &m->mm, err));
    const qz_rewrite_json json = {"config.json", m->config};
    qz_rewrite w = {.run = m->run, .from = m->r->operands[0], .dir = &m->dir, .stage = "merging", .n = m->n,
                    .item = item_of, .put = put_one, .job = m, .json = &json, .n_json = 1, .provenance = say_sources};
    qz_status st = qz_rewrite_folder(&w, m->partial, err);
    m->files = w.files;
    m->bytes = w.bytes;
    if (st == QZ_OK) st = prove(m, err);
    if (st == QZ_OK) st = qz_commit(&(qz_move){m->partial, m->out}, 1, err);
    if (st != QZ_OK) {
        qz_error ignored = {0};
        (void)qz_remove_tree(m->partial, &ignored);
    }
    return st;
}

void qz_merge_release(qz_merge *m) {
    for (size_t i = 0; i < m->n_adapters; i++) qz_adapter_release(&m->adapters[i]);
    qz_st_dir_release(&m->dir);
    qz_mm_free(m->mm);
    qz_free(m->partial);
    json_decref(m->config);
    qz_arena_release(&m->arena);
    *m = (qz_merge){.run = m->run, .r = m->r};
}
