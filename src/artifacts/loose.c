/* Opens a checkpoint of any family: config.json for the few keys that say how tensors lie, the safetensors files, and a
 * verdict on every tensor. */
#include "artifacts/loose.h"
#include "base/json.h"
#include "base/size.h"
#include "codecs/types.h"
#include "model/families.h"
#include <stdlib.h>
#include <string.h>

#define CONFIG_LIMIT ((size_t)16 << 20)

static const struct { const char *name; struct { bool interleaved, turned; } is; } families[] = {
#define QZ_LOOSE_FAMILY(name, ...) { name, { __VA_ARGS__ } },
#include "artifacts/loose_names.def"
#undef QZ_LOOSE_FAMILY
};

/* ---- config.json ---- */
/* Text models inside others have their keys in an object. */
static const json_t *key_of(const json_t *root, const char *key) {
    static const char *const inner[] = { "text_config", "llm_config", "language_config" };
    const json_t *v = json_object_get(root, key);
    for (size_t i = 0; i < sizeof inner / sizeof *inner && (!v || json_is_null(v)); i++)
        v = json_object_get(json_object_get(root, inner[i]), key);
    return v;
}

static qz_type said_type(const json_t *root) {
    const char *s = json_string_value(key_of(root, "dtype"));
    return qz_config_dtype(s ? s : json_string_value(key_of(root, "torch_dtype")));
}

static qz_status fill(qz_model *m, const char *path, const json_t *root, qz_error *err) {
    qz_loose *l = qz_arena_calloc(&m->arena, 1, sizeof *l);
    const char *type = json_string_value(json_object_get(root, "model_type")),
               *inner = json_string_value(key_of(json_object_get(root, "text_config"), "model_type")),
               *arch = json_string_value(json_array_get(json_object_get(root, "architectures"), 0));
    const json_int_t hidden = json_integer_value(key_of(root, "hidden_size"));
    if (!json_is_object(root))
        return qz_fail(err, QZ_EFORMAT, "not a model configuration: file '%s': expected a JSON object", path);
    char *family = qz_arena_printf(&m->arena, "%.60s", type ? type : arch ? arch : "?");
    if (!l || !family) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    l->family = family;
    l->hidden = hidden > 0 ? (uint64_t)hidden : 0;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const char *name = families[i].name;
        if ((!type || strcmp(type, name) != 0) && (!inner || strcmp(inner, name) != 0)) continue;
        l->interleaved = families[i].is.interleaved;
        l->turned = families[i].is.turned;
    }
    m->config = (qz_config){ .family = QZ_FAMILY_COUNT, .dtype = said_type(root), .bos_id = -1, .pad_id = -1 };
    m->loose = l;
    return QZ_OK;
}

static qz_status begin(qz_model *m, bool source, qz_error *err) {
    char *path = qz_path_join(m->path, "config.json");
    json_t *root = NULL;
    qz_status st = path ? qz_json_load(path, CONFIG_LIMIT, &root, err)
                        : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    const json_t *q = json_object_get(root, "quantization_config");
    const char *key = "quantization_config";
    if (qz_json_empty(q)) q = json_object_get(root, key = "compression_config");
    if (st == QZ_OK && source && !qz_json_empty(q) && !qz_folder_bnb_off(q)) {
        const char *method = json_string_value(json_object_get(q, "quant_method"));
        st = qz_fail(err, QZ_EUNSUPPORTED,
                     "quantized already, and of a family that does not run here: file '%s', key '%s': expected none, "
                     "found '%.40s'; start from the checkpoint in 16 bits",
                     path, key, method ? method : "?");
    }
    if (st == QZ_OK) st = fill(m, path, root, err);
    json_decref(root);
    qz_free(path);
    return st;
}
qz_status qz_loose_begin(qz_model *m, qz_error *err) { return begin(m, false, err); }

bool qz_loose_wanted(const char *dir) {
    qz_error ignored = {0};
    char *config = qz_path_is_dir(dir) ? qz_path_join(dir, "config.json") : NULL;
    const bool yes = config && qz_path_exists(config) && qz_st_dir_present(dir) &&
                     qz_config_family(config, &ignored) == QZ_EUNSUPPORTED;
    qz_free(config);
    return yes;
}

/* ---- tensors ---- */
static qz_loose *ours(const qz_model *m) { return (qz_loose *)(uintptr_t)m->loose; } /* until the model is open */
/* A matrix (or a vector: n_dims 1) of t that begins `at` elements behind its first. */
typedef struct { const char *name; uint32_t n_dims; size_t rows, cols, at, row_step, col_step; } part;
static qz_status add_view(qz_model *m, const qz_loose_tensor *x, const part *p, qz_error *err) {
    qz_loose *l = ours(m);
    const qz_st_tensor *t = x->t;
    const size_t each = qz_st_dtype_bits(t->dtype) / 8;
    const bool plain = p->col_step == 1 && (p->rows == 1 || p->row_step == p->cols);
    qz_tensor_view v = { .name = p->name, .file_name = t->name, .rows = p->rows, .cols = p->cols, .n_dims = p->n_dims,
                         .bytes = p->rows * p->cols * each, .file = x->file->path,
                         .offset = t->offset + p->at * each };
    if (plain) v.type = qz_st_float_type(t->dtype), v.data = t->data + p->at * each;
    else {
        const qz_steps s = { t->data + p->at * each, qz_st_float_type(t->dtype), p->rows, p->cols, p->row_step,
                             p->col_step };
        v.type = QZ_TYPE_CODED;
        v.coded = qz_steps_coded(&s, &m->arena);
    }
    if (!p->name || (!plain && !v.coded)) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    l->coded[m->n_tensors] = x->rule == NULL && p->n_dims == 2;
    m->tensors[m->n_tensors++] = v;
    return QZ_OK;
}

/* The matrices of all experts of a layer, expert by expert. */
static qz_status add_stack(qz_model *m, qz_loose_tensor *x, const qz_loose_leaf *leaf, const qz_loose_stack *s,
                           qz_error *err) {
    const bool down = leaf->part == QZ_PART_DOWN;
    const size_t n = leaf->part == QZ_PART_GATE_UP ? 2 : 1,
                 rows = (size_t)(down ? s->hidden : s->width), cols = (size_t)(down ? s->width : s->hidden),
                 all = n * rows; /* rows of an expert */
    x->first = m->n_tensors;
    for (uint64_t e = 0; e < s->experts; e++)
        for (size_t k = 0; k < n; k++) {
            const bool between = n == 2 && s->interleaved; /* rows of the one between those of the other */
            const size_t row = between ? k : k * rows, by = between ? 2 : 1, base = (size_t)e * all * cols;
            part p = { qz_arena_printf(&m->arena, "%.*s.%llu.%s.%s", (int)leaf->parent, x->t->name,
                                       (unsigned long long)e, leaf->out[k], leaf->bias ? "bias" : "weight"),
                       2, rows, cols, base + row * cols, by * cols, 1 };
            if (s->turned) p.at = base + row, p.row_step = by, p.col_step = all;
            if (leaf->bias) p = (part){ p.name, 1, 1, rows, (size_t)e * all + row, 0, by };
            QZ_TRY(add_view(m, x, &p, err));
        }
    x->n = m->n_tensors - x->first;
    x->parent = leaf->parent;
    x->bias = leaf->bias;
    return QZ_OK;
}

/* Does a bias [experts, rows] belong to the stack? */
static bool bias_fits(const qz_st_tensor *t, const qz_loose_leaf *leaf, const qz_loose_stack *s) {
    const uint64_t rows = leaf->part == QZ_PART_DOWN      ? s->hidden
                          : leaf->part == QZ_PART_GATE_UP ? 2 * s->width
                                                          : s->width;
    return t->dims[0] == s->experts && t->dims[1] == rows;
}

typedef struct { bool experts; qz_loose_leaf leaf; qz_loose_stack stack; } found;

/* What becomes of the tensor; returns how many views it needs. */
static size_t look(const qz_model *m, const qz_st_dir *d, qz_loose_tensor *x, found *f) {
    const qz_st_tensor *t = x->t;
    *f = (found){ .experts = false };
    x->rule = qz_loose_judge(t);
    if (!x->rule && qz_loose_leaf_of(t->name, &f->leaf) && t->n_dims == (f->leaf.bias ? 2 : 3)) {
        x->rule = qz_loose_stack_of(d, t->name, &f->leaf, m->loose->hidden, &f->stack);
        f->stack.interleaved = m->loose->interleaved;
        if (!x->rule && f->leaf.bias && !bias_fits(t, &f->leaf, &f->stack)) x->rule = qz_loose_rule_of(QZ_LOOSE_MISFIT);
        f->experts = x->rule == NULL;
        if (f->experts) return (size_t)f->stack.experts * 2;
    }
    return 1;
}

static qz_status add(qz_model *m, const qz_st_dir *d, qz_loose_tensor *x, qz_error *err) {
    const qz_st_tensor *t = x->t;
    found f;
    (void)look(m, d, x, &f);
    if (f.experts) return add_stack(m, x, &f.leaf, &f.stack, err);
    if (qz_st_float_type(t->dtype) == QZ_TYPE_NONE || t->n_dims < 1 || t->n_dims > 2 || t->elems == 0) return QZ_OK;
    const size_t rows = t->n_dims == 2 ? (size_t)t->dims[0] : 1, cols = (size_t)t->dims[t->n_dims - 1];
    const part p = { t->name, t->n_dims, rows, cols, 0, cols, 1 };
    x->first = m->n_tensors;
    x->n = 1;
    return add_view(m, x, &p, err);
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const qz_tensor_view *const *)a)->name, (*(const qz_tensor_view *const *)b)->name);
}

static qz_status add_all(qz_model *m, const qz_st_dir *d, qz_error *err) {
    qz_loose *l = ours(m);
    size_t views = 0;
    found f;
    l->t = qz_arena_calloc(&m->arena, d->n_tensors + 1, sizeof *l->t);
    if (!l->t) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    for (size_t i = 0; i < d->n_files; i++)
        for (size_t k = 0; k < d->files[i].n; k++) {
            qz_loose_tensor *x = &l->t[l->n++];
            *x = (qz_loose_tensor){ .file = &d->files[i], .t = &d->files[i].tensors[k] };
            views += look(m, d, x, &f);
            l->n_split += f.experts;
        }
    m->tensors = qz_arena_calloc(&m->arena, views + 1, sizeof *m->tensors);
    l->by_name = qz_arena_calloc(&m->arena, views + 1, sizeof *l->by_name);
    l->coded = qz_arena_calloc(&m->arena, views + 1, sizeof *l->coded);
    if (!m->tensors || !l->by_name || !l->coded) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    for (size_t i = 0; i < l->n; i++) QZ_TRY(add(m, d, &l->t[i], err));
    for (size_t i = 0; i < m->n_tensors; i++) l->by_name[i] = &m->tensors[i];
    qsort(l->by_name, m->n_tensors, sizeof *l->by_name, by_name);
    m->file_bytes = d->file_bytes;
    m->n_other_files = d->n_others;
    m->other_file = d->other;
    return QZ_OK;
}

void qz_loose_settle(qz_model *m, const qz_st_dir *d) {
    const qz_st_tensor *most = NULL;
    for (size_t i = 0; i < d->n_files && m->config.dtype == QZ_TYPE_NONE; i++)
        for (size_t k = 0; k < d->files[i].n; k++) {
            const qz_st_tensor *t = &d->files[i].tensors[k];
            const qz_loose_rule *r = t->n_dims == 2 ? qz_loose_judge(t) : NULL;
            if (r && r->pattern && (!most || t->elems > most->elems)) most = t;
        }
    if (most) m->config.dtype = qz_st_float_type(most->dtype);
}

/* Codes without settings: nobody can say what they stand for, and beside ours a reader would take them for ours. */
static qz_status refuse_codes(const qz_st_dir *d, qz_error *err) {
    static const char *const ends[] = { ".weight", ".weight_packed", ".qweight" };
    for (size_t i = 0; i < d->n_files; i++)
        for (size_t k = 0; k < d->files[i].n; k++) {
            const qz_st_tensor *t = &d->files[i].tensors[k];
            bool named = false;
            for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) named |= qz_str_ends(t->name, ends[e]);
            if (!named || t->n_dims != 2 || qz_st_float_type(t->dtype) != QZ_TYPE_NONE) continue;
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "a weight that is no float: file '%s', tensor '%s', offset %llu: expected F32, F16 or BF16, "
                           "found %s and no quantization_config that says what it means; start from the checkpoint in "
                           "16 bits",
                           d->files[i].path, t->name, (unsigned long long)t->offset, qz_st_dtype_name(t->dtype));
        }
    return QZ_OK;
}

static void close_loose(qz_model *m) {
    qz_st_dir_release(m->impl);
    qz_free(m->impl);
    m->impl = NULL;
}

qz_status qz_loose_open(qz_run *run, const char *dir, qz_model **out, qz_error *err) {
    qz_model *m = qz_calloc_array(1, sizeof *m);
    qz_st_dir *d = qz_calloc_array(1, sizeof *d);
    (void)run;
    *out = NULL;
    if (!m || !d) {
        qz_free(m), qz_free(d);
        return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", dir);
    }
    qz_status st = QZ_OK;
    m->impl = d;
    m->close = close_loose;
    m->container = "safetensors";
    m->encoding = "floats";
    m->contract = "W16A16";
    m->path = qz_arena_strdup(&m->arena, dir);
    if (!m->path) st = qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", dir);
    if (st == QZ_OK) st = begin(m, true, err);
    if (st == QZ_OK && m->loose->turned)
        st = qz_fail(err, QZ_EUNSUPPORTED,
                     "matrices stored as [in, out]: folder '%s', key 'model_type': '%s' has Conv1D modules, which no "
                     "server quantizes; use another model",
                     dir, m->loose->family);
    if (st == QZ_OK) st = qz_st_dir_open(d, dir, err);
    if (st == QZ_OK) st = refuse_codes(d, err);
    if (st == QZ_OK) st = add_all(m, d, err);
    if (st == QZ_OK) qz_loose_settle(m, d);
    if (st != QZ_OK) qz_model_free(m);
    else *out = m;
    return st;
}

/* Every tensor as it is stored, in the order of their names: the same for any division into files. */
static int by_stored(const void *a, const void *b) {
    return strcmp((*(const qz_st_tensor *const *)a)->name, (*(const qz_st_tensor *const *)b)->name);
}
qz_status qz_loose_hash(qz_run *run, const qz_model *m, qz_sha256 *h, qz_error *err) {
    enum { PIECE = 8 << 20 };
    const qz_st_tensor **all = qz_alloc_array(m->loose->n + 1, sizeof *all);
    if (!all) return qz_fail(err, QZ_EMEMORY, "out of memory hashing the source");
    for (size_t i = 0; i < m->loose->n; i++) all[i] = m->loose->t[i].t;
    qsort(all, m->loose->n, sizeof *all, by_stored);
    qz_progress_begin(run);
    for (size_t i = 0; i < m->loose->n; i++) {
        const qz_st_tensor *t = all[i];
        const char *type = qz_st_dtype_name(t->dtype);
        qz_sha256_update(h, t->name, strlen(t->name) + 1);
        qz_sha256_update(h, type, strlen(type) + 1);
        qz_sha256_update(h, t->dims, t->n_dims * sizeof *t->dims);
        for (uint64_t at = 0; at < t->bytes; at += PIECE) {
            const size_t n = (size_t)(t->bytes - at < PIECE ? t->bytes - at : PIECE);
            qz_sha256_update(h, t->data + at, n);
            qz_map_forget(t->data + at, n);
        }
        qz_progress_step(run, "hashing the source", i + 1, m->loose->n, "tensors");
    }
    qz_progress_end(run);
    qz_free(all);
    return QZ_OK;
}

const qz_tensor_view *qz_loose_next(const qz_model *m, size_t *i) {
    while (*i < m->n_tensors) {
        const size_t k = (*i)++;
        if (m->loose->coded[k]) return &m->tensors[k];
    }
    return NULL;
}
