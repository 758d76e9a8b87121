/* Verification of an artifact: manifest sizes and hashes, structure and shapes (by opening it), finite
 * scales, decoding. */
#include "artifacts/artifacts_int.h"
#include "artifacts/raw.h"
#include "artifacts/open.h"
#include "base/bytes.h"
#include "base/half.h"
#include "base/json.h"
#include "base/size.h"
#include "formats/dtypes.h"
#include "formats/safetensors.h"
#include "model/leftovers.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MANIFEST_LIMIT ((size_t)64 << 20)

typedef struct {
    qz_table *t;
    size_t failed;
    qz_error *err;
    qz_error refused; /* settings that nothing here reads: the verdict is theirs */
} sheet;

static qz_status row(sheet *s, const char *check, bool ok, const char *detail) {
    QZ_TRY(qz_table_row(s->t, s->err));
    QZ_TRY(qz_table_set(s->t, 0, s->err, "%s", check));
    QZ_TRY(qz_table_set(s->t, 1, s->err, "%s", ok ? "ok" : "FAILED"));
    s->failed += !ok;
    return qz_table_set(s->t, 2, s->err, "%s", detail);
}

/* File i of n that the manifest lists: parts go by their number, whatever the model is called now. */
static qz_status check_file(sheet *s, const char *path, size_t i, size_t n, const json_t *entry, qz_arena *arena) {
    const char *name = json_string_value(json_object_get(entry, "name")),
               *sha = json_string_value(json_object_get(entry, "sha256"));
    const json_t *bytes = json_object_get(entry, "bytes"), *edited = json_object_get(entry, "edited");
    const bool unknown = json_is_null(json_object_get(entry, "sha256")) && json_is_array(edited);
    if (!name || (!sha && !unknown) || !json_is_integer(bytes) || strchr(name, '/'))
        return row(s, "manifest", false, "an entry has no plain name, bytes or sha256");
    char *part = n > 1 && !qz_path_is_dir(path) ? qz_gguf_part_path(path, i, n) : NULL, hex[65];
    char *file = qz_path_is_dir(path) ? qz_arena_printf(arena, "%s/%s", path, name)
                                      : qz_arena_strdup(arena, part ? part : path);
    qz_free(part);
    if (!file) return qz_fail(s->err, QZ_EMEMORY, "out of memory verifying '%s'", path);
    uint64_t size = 0;
    char *check = qz_arena_printf(arena, "hash of %s", name), *detail;
    if (!qz_path_exists(file)) return row(s, check, false, "the file is missing");
    QZ_TRY(qz_file_size(file, &size, s->err));
    if (size != (uint64_t)json_integer_value(bytes)) {
        detail = qz_arena_printf(arena, "expected %lld bytes, found %llu", (long long)json_integer_value(bytes),
                                 (unsigned long long)size);
        return row(s, check, false, detail ? detail : "");
    }
    if (unknown) {
        const char *key = json_string_value(json_array_get(edited, 0));
        detail = qz_arena_printf(arena, "%llu bytes; no hash since %zu key%s edited in place (%s%s)",
                                 (unsigned long long)size, json_array_size(edited),
                                 json_array_size(edited) == 1 ? " was" : "s were", key ? key : "?",
                                 json_array_size(edited) > 1 ? ", …" : "");
        return row(s, check, true, detail ? detail : "");
    }
    QZ_TRY(qz_sha256_file_hex(file, hex, s->err));
    detail = strcmp(hex, sha) == 0 ? qz_arena_printf(arena, "%llu bytes, sha256 %.16s…", (unsigned long long)size, hex)
                                   : qz_arena_printf(arena, "expected sha256 %.16s…, found %.16s…", sha, hex);
    return row(s, check, strcmp(hex, sha) == 0, detail ? detail : "");
}

static qz_status check_manifest(sheet *s, const char *path, qz_arena *arena) {
    char *name = qz_manifest_path(path);
    json_t *root = NULL;
    if (!name) return qz_fail(s->err, QZ_EMEMORY, "out of memory verifying '%s'", path);
    qz_status st = QZ_OK;
    if (!qz_path_exists(name)) st = row(s, "manifest", true, "none: sizes and hashes cannot be checked");
    else {
        qz_error inner = {0};
        if (qz_json_load(name, MANIFEST_LIMIT, &root, &inner) != QZ_OK) st = row(s, "manifest", false, inner.text);
        const json_t *files = json_object_get(root, "files");
        if (root && !json_is_array(files)) st = row(s, "manifest", false, "no list of files");
        for (size_t i = 0; st == QZ_OK && i < json_array_size(files); i++)
            st = check_file(s, path, i, json_array_size(files), json_array_get(files, i), arena);
    }
    json_decref(root);
    qz_free(name);
    return st;
}

/* First value that is not finite: scales and floats decode to NaN or infinity. */
static bool finite_tensor(const qz_tensor_view *t, float *x, size_t *r, size_t *c) {
    for (*r = 0; *r < t->rows; (*r)++) {
        qz_tensor_decode(t, *r, 1, x);
        for (*c = 0; *c < t->cols; (*c)++)
            if (!isfinite(x[*c])) return false;
    }
    return true;
}

/* Tensors with a value that is not finite, and the first of them. */
typedef struct { size_t n, row, col; const qz_tensor_view *first; } broken;

static qz_status find_broken(qz_run *run, const qz_model *m, broken *b, qz_error *err) {
    size_t cols = 1, r = 0, c = 0;
    *b = (broken){0};
    for (size_t i = 0; i < m->n_tensors; i++) cols = qz_max_size(cols, m->tensors[i].cols);
    float *x = qz_alloc_array(cols, sizeof *x);
    if (!x) return qz_fail(err, QZ_EMEMORY, "out of memory verifying '%s'", m->path);
    qz_progress_begin(run);
    for (size_t i = 0; i < m->n_tensors; i++) {
        const qz_tensor_view *t = &m->tensors[i];
        if (!finite_tensor(t, x, &r, &c) && b->n++ == 0) b->first = t, b->row = r, b->col = c;
        if (t->data) qz_map_forget(t->data, t->bytes);
        qz_progress_step(run, "decoding", i + 1, m->n_tensors, "tensors");
    }
    qz_progress_end(run);
    qz_free(x);
    return QZ_OK;
}

static qz_status check_decode(sheet *s, qz_run *run, const qz_model *m, const char *check, qz_arena *arena) {
    broken b;
    QZ_TRY(find_broken(run, m, &b, s->err));
    char *detail = b.n ? qz_arena_printf(arena, "%zu tensor%s non-finite values, first '%s', row %zu, column %zu", b.n,
                                         b.n == 1 ? " holds" : "s hold", b.first->file_name, b.row, b.col)
                       : qz_arena_printf(arena, "%zu tensors decode to finite values", m->n_tensors);
    return row(s, check, b.n == 0, detail ? detail : "");
}

static float float_at(const qz_st_tensor *t, size_t i) {
    float x = NAN;
    if (t->dtype == QZ_ST_F32) memcpy(&x, t->data + 4 * i, 4);
    else if (t->dtype == QZ_ST_F16) x = qz_f16_to_f32(qz_load_u16le(t->data + 2 * i));
    else if (t->dtype == QZ_ST_BF16) x = qz_bf16_to_f32(qz_load_u16le(t->data + 2 * i));
    return x;
}

/* Elements that a server takes: one, or one a head (kv-cache.md section 1). */
static bool cache_shape(const qz_model *m, const qz_st_tensor *t) {
    const qz_config *c = &m->config;
    const bool queries = qz_str_ends(t->name, "q_scale");
    return t->elems == 1 || (!qz_str_ends(t->name, "kv_scale") && t->dims[0] == t->elems &&
                             (queries ? t->elems == c->heads
                                      : t->elems == c->kv_heads || (c->wide.kv_heads && t->elems == c->wide.kv_heads)));
}

static void cache_fault(const qz_model *m, const qz_st_tensor *t, qz_cache_fault *out) {
    if (!cache_shape(m, t)) {
        (void)snprintf(out->problem, sizeof out->problem,
                       "%llu scales of an FP8 cache: expected 1, or one for each of %llu heads",
                       (unsigned long long)t->elems,
                       (unsigned long long)(qz_str_ends(t->name, "q_scale") ? m->config.heads : m->config.kv_heads));
        out->name = t->name;
    }
    for (size_t k = 0; k < t->elems && !out->name; k++) {
        const float scale = float_at(t, k);
        if (isfinite(scale) && scale > 0) continue;
        (void)snprintf(out->problem, sizeof out->problem,
                       "scale %g of an FP8 cache: expected a finite number above 0", (double)scale);
        out->name = t->name;
    }
}

qz_status qz_artifact_cache_scales(const char *path, const qz_model *m, qz_cache_fault *out, qz_error *err) {
    qz_st_dir d = {0};
    *out = (qz_cache_fault){.name = NULL};
    if (qz_leftovers_count(m, QZ_LEFT_CACHE) == 0 || !qz_path_is_dir(path)) return QZ_OK;
    QZ_TRY(qz_st_dir_open(&d, path, err));
    for (size_t i = 0; i < m->n_left && !out->name; i++) {
        const qz_leftover *x = &m->left[i];
        const qz_st_tensor *t = x->kind == QZ_LEFT_CACHE ? qz_st_dir_find(&d, x->file_name, NULL) : NULL;
        if (!t || qz_str_ends(t->name, "_zero_point")) continue; /* servers pass over those */
        cache_fault(m, t, out);
        if (out->name) out->name = x->file_name;
    }
    qz_st_dir_release(&d);
    return QZ_OK;
}

/* Rows only where there is something to say. */
static qz_status check_leftovers(sheet *s, const char *path, const qz_model *m, qz_arena *arena) {
    qz_cache_fault cache;
    QZ_TRY(qz_artifact_cache_scales(path, m, &cache, s->err));
    if (cache.name) {
        const char *bad = qz_arena_printf(arena, "'%s': %s", cache.name, cache.problem);
        QZ_TRY(row(s, "cache", false, bad ? bad : cache.name));
    }
    const size_t parts = qz_leftovers_count(m, QZ_LEFT_PART);
    const qz_config_keys *k = &m->config.keys;
    qz_str names = {0};
    qz_leftovers_names(m, QZ_LEFT_PART, &names);
    char *detail = qz_arena_printf(arena, "nothing uses %zu stored tensor%s: %s", parts, qz_plural(parts),
                                   names.ptr ? names.ptr : "");
    qz_str_release(&names);
    if (parts) QZ_TRY(row(s, "parts", false, detail ? detail : ""));
    if (parts == 0 && m->n_left) {
        char buf[64];
        detail =
            qz_arena_printf(arena,
                            "%zu tensor%s not read: buffers %zu, scales of an FP8 cache %zu, copies of the tied "
                            "embedding %zu, biases of zeros %zu%s",
                            m->n_left, m->n_left == 1 ? " is" : "s are", qz_leftovers_count(m, QZ_LEFT_BUFFER),
                            qz_leftovers_count(m, QZ_LEFT_CACHE), qz_leftovers_count(m, QZ_LEFT_TWIN),
                            qz_leftovers_count(m, QZ_LEFT_ZEROS), qz_leftovers_mtp(m, buf));
        QZ_TRY(row(s, "parts", true, detail ? detail : ""));
    }
    if (m->head_untied)
        QZ_TRY(row(s, "head", true, "stored with values of its own and used, although the configuration ties it"));
    detail = qz_arena_printf(arena, "not read, and would change the model: %s", k->refused);
    if (k->n_refused) QZ_TRY(row(s, "keys", false, detail ? detail : ""));
    detail = qz_arena_printf(arena, "%u not read: %s", k->n_noted, k->noted);
    if (k->n_noted) QZ_TRY(row(s, "keys", true, detail ? detail : ""));
    detail = qz_arena_printf(arena, "%zu entr%s no module of the files, first %s", m->n_no_module,
                             m->n_no_module == 1 ? "y names" : "ies name", m->no_module ? m->no_module : "");
    if (m->n_no_module) QZ_TRY(row(s, "left float", true, detail ? detail : ""));
    for (size_t i = 0; i < m->n_doubts; i++) QZ_TRY(row(s, "flags", false, m->doubts[i]));
    return QZ_OK;
}

/* A row only where there is something to say: a tokenizer that is none, or one whose ids leave the embedding. */
static qz_status check_tokenizer(sheet *s, const char *path, const qz_model *m, qz_arena *arena) {
    qz_tokenizer *t = NULL;
    qz_error why = {0};
    qz_status st = qz_artifact_tokenizer(path, &t, &why);
    const bool foreign = st == QZ_EUNSUPPORTED;
    if (st == QZ_OK && t) st = qz_artifact_fits(m, t, path, &why);
    qz_tokenizer_free(t);
    if (st == QZ_OK) return QZ_OK;
    if (st == QZ_EMEMORY) return qz_fail(s->err, st, "%s", why.text);
    const char *detail = foreign ? qz_arena_printf(arena, "this program cannot use it: %s", why.text)
                                 : qz_arena_strdup(arena, why.text);
    return row(s, "tokenizer", foreign, detail ? detail : "");
}

/* A container that is well-formed and none of our models: its structure, and the values of the types that decode. */
static qz_status check_raw(sheet *s, const qz_raw *r, const qz_error *why, bool foreign, qz_arena *arena) {
    qz_raw_fault fault;
    char *detail = qz_arena_printf(arena, "%s, %zu tensor%s, %llu bytes%s%s", r->container, r->n, qz_plural(r->n),
                                   (unsigned long long)r->tensor_bytes, foreign ? "; this program cannot run it: " : "",
                                   foreign ? qz_raw_reason(r, why) : "");
    QZ_TRY(row(s, foreign ? "structure" : "container", true, detail ? detail : ""));
    if (!foreign) QZ_TRY(row(s, "structure", false, why->text));
    QZ_TRY(qz_raw_values(r, &fault, s->err));
    if (fault.what)
        detail = qz_arena_printf(arena, "tensor '%s', element %llu is %s", r->tensors[fault.tensor].name,
                                 (unsigned long long)fault.element, fault.what);
    else
        detail = qz_arena_printf(arena, "%zu of %zu tensor%s decode to finite values%s", fault.read, r->n,
                                 qz_plural(r->n),
                                 fault.read < r->n ? ", the others are of types that are not decoded" : "");
    return row(s, "decode", fault.what == NULL, detail ? detail : "");
}

/* Codes of a family that does not run here, under their settings: a row only where they can be read. */
static qz_status check_codes(sheet *s, qz_run *run, const char *path, qz_arena *arena) {
    qz_model *m = NULL;
    qz_error why = {0};
    qz_status st = qz_artifact_open_codes(run, path, &m, &why);
    if (st == QZ_OK && !m) return QZ_OK;
    if (st == QZ_EMEMORY || st == QZ_EIO) return qz_fail(s->err, st, "%s", why.text);
    if (st == QZ_EUNSUPPORTED) s->refused = why;
    st = m ? check_decode(s, run, m, "codes", arena) : row(s, "settings", false, why.text);
    qz_model_free(m);
    return st;
}

/* What does not open as a model. */
static qz_status check_unopened(sheet *s, qz_run *run, const char *path, const qz_error *why, qz_arena *arena) {
    qz_error container = {0}, fault = {0};
    qz_raw raw;
    const bool foreign = qz_raw_foreign(path, why);
    if (why->code == QZ_EUNSUPPORTED && !foreign) s->refused = *why;
    if (!qz_raw_applies(path, why)) return row(s, "structure", false, why->text);
    if (qz_raw_open(path, &raw, &container) != QZ_OK) {
        (void)qz_raw_refuse(why, &container, why->code, &fault);
        return row(s, "structure", false, fault.text);
    }
    qz_status st = check_raw(s, &raw, why, foreign, arena);
    qz_raw_release(&raw);
    return st == QZ_OK && foreign ? check_codes(s, run, path, arena) : st;
}

static qz_status open_sheet(qz_arena *arena, qz_table *table, qz_error *err) {
    static const qz_column cols[] = { { "check", 'l' }, { "result", 'l' }, { "detail", 'l' } };
    return qz_table_init(table, arena, "verification", cols, 3, err);
}

qz_status qz_artifact_verify_hashes(const char *path, qz_arena *arena, qz_table *table, qz_error *err) {
    sheet s = { .t = table, .err = err };
    QZ_TRY(open_sheet(arena, table, err));
    return check_manifest(&s, path, arena);
}

qz_status qz_artifact_verify(qz_run *run, const char *path, qz_arena *arena, qz_table *table, qz_error *err) {
    sheet s = { .t = table, .err = err };
    QZ_TRY(open_sheet(arena, table, err));
    if (!qz_path_exists(path)) return qz_path_missing(path, err);
    QZ_TRY(check_manifest(&s, path, arena));
    qz_model *m = NULL;
    qz_error inner = {0};
    if (qz_artifact_open(run, path, &m, &inner) != QZ_OK) QZ_TRY(check_unopened(&s, run, path, &inner, arena));
    else {
        char *detail = qz_arena_printf(arena, "%s, %s, %zu tensors, every shape fits the configuration", m->container,
                                       m->encoding, m->n_tensors);
        qz_status st = row(&s, "structure", true, detail ? detail : "");
        if (st == QZ_OK) st = check_leftovers(&s, path, m, arena);
        if (st == QZ_OK) st = check_tokenizer(&s, path, m, arena);
        if (st == QZ_OK) st = check_decode(&s, run, m, "decode", arena);
        qz_model_free(m);
        QZ_TRY(st);
    }
    if (s.refused.code != QZ_OK) return qz_fail(err, s.refused.code, "%s", s.refused.text);
    if (s.failed)
        return qz_fail(err, QZ_ECHECK, "verification failed: '%s': %zu of %zu check%s", path, s.failed, table->n_rows,
                       qz_plural(table->n_rows));
    return QZ_OK;
}

/* ---- in one line ---- */
static qz_status sound_values(qz_run *run, const char *path, const qz_model *m, qz_error *err) {
    qz_cache_fault cache;
    broken b;
    QZ_TRY(qz_artifact_cache_scales(path, m, &cache, err));
    if (cache.name) return qz_fail(err, QZ_EFORMAT, "tensor '%s': %s", cache.name, cache.problem);
    QZ_TRY(find_broken(run, m, &b, err));
    if (!b.n) return QZ_OK;
    return qz_fail(err, QZ_ENONFINITE,
                   "values that are not finite: file '%s', tensor '%s', row %zu, column %zu (%zu tensor%s); write it "
                   "again from its source", b.first->file, b.first->file_name, b.row, b.col, b.n,
                   b.n == 1 ? "" : "s");
}

static qz_status sound_raw(qz_run *run, const char *path, qz_error *err) {
    qz_model *m = NULL;
    qz_raw raw;
    qz_raw_fault fault = {0};
    QZ_TRY(qz_raw_open(path, &raw, err));
    qz_status st = qz_raw_values(&raw, &fault, err);
    if (st == QZ_OK && fault.what)
        st = qz_fail(err, QZ_ENONFINITE, "a value that no writer makes: file '%s', tensor '%s', element %llu is %s",
                     raw.tensors[fault.tensor].file, raw.tensors[fault.tensor].name,
                     (unsigned long long)fault.element, fault.what);
    qz_raw_release(&raw);
    if (st == QZ_OK) st = qz_artifact_open_codes(run, path, &m, err);
    if (st == QZ_OK && m) st = sound_values(run, path, m, err);
    qz_model_free(m);
    return st;
}

qz_status qz_artifact_sound(qz_run *run, const char *path, qz_error *err) {
    qz_model *m = NULL;
    qz_error why = {0};
    qz_status st = qz_artifact_open(run, path, &m, &why);
    if (st != QZ_OK && qz_raw_foreign(path, &why)) return sound_raw(run, path, err);
    if (st != QZ_OK) return qz_fail(err, st, "%s", why.text);
    st = sound_values(run, path, m, err);
    qz_model_free(m);
    return st;
}
