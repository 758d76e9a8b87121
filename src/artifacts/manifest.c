/* The manifest: sizes and SHA-256 of every file, what the artifact is and where it came from. No time of day: two runs
 * give equal bytes. */
#include "artifacts/gguf_deviations.h"
#include "artifacts/schemes.h"
#include "artifacts/artifacts_int.h"
#include "base/json.h"
#include "base/size.h"
#include <stdlib.h>
#include <string.h>

#define MANIFEST_LIMIT ((size_t)64 << 20)
static const char folder_name[] = "quantz-manifest.json";

char *qz_manifest_path(const char *path) {
    size_t no, count;
    if (qz_path_is_dir(path)) return qz_path_join(path, folder_name);
    /* one for all parts, beside the first */
    char *first = qz_gguf_part_named(path, &no, &count) ? qz_gguf_part_path(path, 0, count) : qz_strdup(path);
    qz_str s = {0};
    if (first) qz_str_printf(&s, "%s.manifest.json", first);
    s.failed |= first == NULL;
    qz_free(first);
    if (s.failed) {
        qz_str_release(&s);
        return NULL;
    }
    return s.ptr;
}

/* The entry of `path` in a manifest; parts go by their number. */
static json_t *entry_of(json_t *files, const char *path) {
    size_t no = 0, count = 0;
    (void)qz_gguf_part_named(path, &no, &count);
    return json_array_get(files, json_array_size(files) > 1 ? no : 0);
}

/* The file is what the entry says already. */
static bool as_noted(const json_t *entry, uint64_t bytes, const char *sha_hex) {
    const char *sha = json_string_value(json_object_get(entry, "sha256"));
    return sha && sha_hex && strcmp(sha, sha_hex) == 0 &&
           (uint64_t)json_integer_value(json_object_get(entry, "bytes")) == bytes;
}

static bool note_edit(json_t *entry, uint64_t bytes, const char *sha_hex, const char *const *keys, size_t n) {
    json_t *edited = json_object_get(entry, "edited");
    bool ok = json_object_set_new(entry, "bytes", json_integer((json_int_t)bytes)) == 0 &&
              json_object_set_new(entry, "sha256", sha_hex ? json_string(sha_hex) : json_null()) == 0;
    if (!json_is_array(edited)) ok = ok && json_object_set_new(entry, "edited", edited = json_array()) == 0;
    for (size_t i = 0; ok && i < n; i++) {
        bool known = false;
        for (size_t k = 0; k < json_array_size(edited) && !known; k++)
            known = strcmp(json_string_value(json_array_get(edited, k)), keys[i]) == 0;
        ok = known || json_array_append_new(edited, json_string(keys[i])) == 0;
    }
    return ok;
}

qz_status qz_manifest_edited(const char *path, uint64_t bytes, const char *sha_hex, const char *const *keys, size_t n,
                             char **staged, qz_error *err) {
    char *name = qz_manifest_path(path), *text = NULL;
    json_t *root = NULL;
    *staged = NULL;
    if (name == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory editing '%s'", path);
    if (!qz_path_exists(name)) return qz_free(name), QZ_OK;
    qz_status st = qz_json_load(name, MANIFEST_LIMIT, &root, err);
    json_t *entry = st == QZ_OK ? entry_of(json_object_get(root, "files"), path) : NULL;
    if (st == QZ_OK && !json_is_object(entry))
        st = qz_fail(err, QZ_EFORMAT, "manifest lists no such file: '%s': expected '%s'; move the manifest away", name,
                     qz_path_base(path));
    const bool same = st == QZ_OK && as_noted(entry, bytes, sha_hex);
    if (st == QZ_OK && !same && (!note_edit(entry, bytes, sha_hex, keys, n) ||
                        !(text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)))))
        st = qz_fail(err, QZ_EMEMORY, "out of memory editing '%s'", name);
    if (st == QZ_OK && !same) st = qz_stage_file(name, text, strlen(text), err);
    if (st == QZ_OK && !same && (*staged = qz_strdup(name)) == NULL)
        st = qz_fail(err, QZ_EMEMORY, "out of memory editing '%s'", name);
    free(text); /* jansson's */
    json_decref(root);
    qz_free(name);
    return st;
}

qz_status qz_manifest_add(const char *manifest, const char *key, json_t *value, qz_error *err) {
    json_t *root = NULL;
    char *text = NULL;
    QZ_TRY(qz_json_load(manifest, MANIFEST_LIMIT, &root, err));
    const bool ok = json_is_object(root) && json_object_set(root, key, value) == 0 &&
                    (text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)));
    qz_status st = ok ? qz_write_file(manifest, text, strlen(text), err)
                      : qz_fail(err, QZ_EFORMAT, "not a manifest: '%s': expected an object", manifest);
    free(text); /* jansson's */
    json_decref(root);
    return st;
}

/* ---- the same tensors in other files ---- */
/* Keys edited in any of the files before are edited in the first one now. */
static json_t *edited_in(const json_t *files) {
    json_t *all = json_object(), *list = json_array();
    const char *key;
    size_t i, k;
    json_t *entry, *name, *one;
    json_array_foreach(files, i, entry)
        json_array_foreach(json_object_get(entry, "edited"), k, name)
            if (json_is_string(name)) (void)json_object_set_new(all, json_string_value(name), json_true());
    json_object_foreach(all, key, one) (void)json_array_append_new(list, json_string(key));
    json_decref(all);
    return list;
}

static json_t *files_of(const json_t *before, const qz_manifest_file *files, size_t n) {
    json_t *list = json_array(), *edited = edited_in(before);
    for (size_t i = 0; i < n; i++) {
        json_t *entry = json_pack("{s:s, s:I, s:s}", "name", qz_path_base(files[i].path), "bytes",
                                  (json_int_t)files[i].bytes, "sha256", files[i].sha256);
        if (i == 0 && entry && json_array_size(edited)) (void)json_object_set(entry, "edited", edited);
        (void)json_array_append_new(list, entry);
    }
    json_decref(edited);
    if (json_array_size(list) == n) return list;
    json_decref(list);
    return NULL;
}

qz_status qz_manifest_recut(const char *from, const qz_manifest_file *files, size_t n, char **staged, qz_error *err) {
    char *before = qz_manifest_path(from), *name = qz_manifest_path(files[0].path), *text = NULL;
    json_t *root = NULL;
    *staged = NULL;
    qz_status st = before && name ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", files[0].path);
    if (st == QZ_OK && qz_path_exists(before)) {
        st = qz_json_load(before, MANIFEST_LIMIT, &root, err);
        json_t *list = st == QZ_OK ? files_of(json_object_get(root, "files"), files, n) : NULL;
        json_t *recipe = json_object_get(json_object_get(root, "provenance"), "recipe");
        static const char *const parts[] = {"split_max_size", "split_max_tensors", "keep_split"};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) /* as the files are cut no more */
            (void)json_object_del(recipe, parts[i]);
        if (st == QZ_OK && (list == NULL || json_object_set_new(root, "files", list) != 0 ||
                            (text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9))) == NULL))
            st = qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", name);
        if (st == QZ_OK) st = qz_stage_file(name, text, strlen(text), err);
        if (st == QZ_OK && (*staged = qz_strdup(name)) == NULL)
            st = qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", name);
    }
    free(text); /* jansson's */
    json_decref(root);
    qz_free(before);
    qz_free(name);
    return st;
}

static void field(qz_str *s, const char *key, const char *value) {
    qz_str_puts(s, "  ");
    qz_json_quote(s, key, strlen(key));
    qz_str_puts(s, ": ");
    qz_json_quote(s, value, strlen(value));
    qz_str_puts(s, ",\n");
}

static void put_files(qz_str *s, const qz_artifact_writer *w) {
    qz_str_puts(s, "  \"files\": [");
    for (size_t i = 0; i < w->plan->n_files; i++) {
        const qz_artifact_file *f = &w->plan->files[i];
        char *path = qz_artifact_file_path(w->plan, w->path, i);
        const char *name = f->name ? f->name : path ? qz_path_base(path) : "";
        s->failed |= path == NULL;
        qz_str_puts(s, i ? ",\n    {\"name\": " : "\n    {\"name\": ");
        qz_json_quote(s, name, strlen(name));
        qz_free(path);
        qz_str_printf(s, ", \"bytes\": %llu, \"sha256\": \"%s\"}", (unsigned long long)f->bytes, w->file_sha[i]);
    }
    qz_str_puts(s, "\n  ]\n}\n");
}

static void put_summary(qz_str *s, const qz_artifact_plan *p) {
    qz_plan_summary sum;
    qz_str text = {0};
    qz_plan_summarize(p, &sum);
    qz_plan_summary_text(&sum, &text);
    if (!text.failed) field(s, "summary", text.ptr);
    s->failed |= text.failed;
    qz_str_release(&text);
    qz_str_puts(s, "  \"weights\": ");
    qz_plan_summary_json(&sum, s);
    qz_str_puts(s, ",\n");
}

/* The file itself does not say them: GGUF has no key. */
static void put_deviations(qz_str *s, const qz_config *c) {
    qz_gguf_deviation x;
    size_t n = 0;
    for (; qz_gguf_deviation_at(c, n, &x); n++) {
        qz_str_puts(s, n ? ",\n    " : "  \"deviations\": [\n    ");
        qz_gguf_deviation_json(&x, s);
    }
    if (n) qz_str_puts(s, "\n  ],\n");
}

static void put_list(qz_str *s, const qz_artifact_plan *p) {
    qz_str_puts(s, "  \"notes\": [");
    for (size_t i = 0; i < p->n_notes; i++) {
        qz_str_puts(s, i ? ",\n    " : "\n    ");
        qz_json_quote(s, p->notes[i], strlen(p->notes[i]));
    }
    qz_str_puts(s, p->n_notes ? "\n  ],\n" : "],\n");
    if (p->spec.scheme == QZ_SCHEME_GGUF) put_deviations(s, &p->model->config);
    qz_str_puts(s, "  \"provenance\": {");
    for (size_t i = 0; i < p->context->n_provenance; i++) {
        const qz_provenance *v = &p->context->provenance[i];
        qz_str_puts(s, i ? ",\n    " : "\n    ");
        qz_json_quote(s, v->key, strlen(v->key));
        qz_str_puts(s, ": ");
        if (v->json) qz_str_puts(s, v->in_manifest ? v->in_manifest : v->value);
        else qz_json_quote(s, v->value, strlen(v->value));
    }
    qz_str_puts(s, p->context->n_provenance ? "\n  },\n" : "},\n");
}

qz_status qz_manifest_stage(const qz_artifact_writer *w, qz_error *err) {
    const qz_artifact_plan *p = w->plan;
    bool folder = qz_scheme_get(p->spec.scheme)->directory;
    char *path = folder ? qz_path_join(w->partial, folder_name) : qz_manifest_path(w->path);
    qz_str s = {0};
    qz_str_puts(&s, "{\n  \"manifest\": 1,\n");
    field(&s, "artifact", p->spec.name);
    qz_str_printf(&s,
                  "  \"tensors\": %zu,\n  \"weight_bytes\": %llu,\n  \"bits_per_weight\": %.4f,\n  \"fallbacks\": "
                  "%zu,\n",
                  p->n_items, (unsigned long long)p->weight_bytes, p->bits_per_weight, p->n_fallbacks);
    put_summary(&s, p);
    if (w->block_errors.len) qz_str_printf(&s, "  \"block_errors\": %s,\n", w->block_errors.ptr);
    put_list(&s, p);
    put_files(&s, w);
    qz_status st = !path || s.failed ? qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path)
                   : folder ? qz_write_file(path, s.ptr, s.len, err) : qz_stage_file(path, s.ptr, s.len, err);
    qz_str_release(&s);
    qz_free(path);
    return st;
}
