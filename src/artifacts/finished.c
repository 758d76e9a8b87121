/* After a kill: is what stands under the final name the finished output of this very job? */
#include "artifacts/artifacts_int.h"
#include "base/json.h"
#include "base/size.h"
#include <stdlib.h>
#include <string.h>

enum { MANIFEST_LIMIT = 64 << 20 };

static bool differs(qz_str *why, const char *what, const char *expected, const char *found) {
    if (found && strcmp(expected, found) == 0) return false;
    qz_str_printf(why, "%s: expected '%s', found '%s'", what, expected, found ? found : "nothing");
    return true;
}

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static bool other_fact(const qz_provenance *want, const json_t *found, qz_str *why) {
    json_t *object = NULL;
    const char *text = want->in_manifest ? want->in_manifest : want->value;
    if (!want->json) return differs(why, want->key, want->value, json_string_value(found));
    if (qz_json_parse(text, strlen(text), want->key, &object, &(qz_error){0}) != QZ_OK) object = NULL;
    const bool equal = object && json_equal(object, found);
    char *there = equal ? NULL : json_dumps(found, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!equal) (void)differs(why, want->key, text, there);
    free(there); /* jansson's */
    json_decref(object);
    return !equal;
}

/* What it was made of, key by key in both directions. */
static bool other_origin(const qz_artifact_plan *p, const json_t *root, qz_str *why) {
    const json_t *prov = json_object_get(root, "provenance");
    if (differs(why, "scheme", p->spec.name, text_of(root, "artifact"))) return true;
    for (size_t i = 0; i < p->context->n_provenance; i++)
        if (other_fact(&p->context->provenance[i], json_object_get(prov, p->context->provenance[i].key), why))
            return true;
    if (json_object_size(prov) != p->context->n_provenance)
        qz_str_puts(why, "it records more of its origin than this job would");
    return json_object_size(prov) != p->context->n_provenance;
}

/* File i of the plan: its entry in the manifest, its bytes on the disk, and the bytes that the plan knows already. */
static qz_status other_file(const qz_artifact_plan *p, size_t i, const char *path, const json_t *entry, qz_str *why,
                            bool *other, qz_error *err) {
    const qz_artifact_file *f = &p->files[i];
    const char *sha = text_of(entry, "sha256");
    char hex[65] = "", planned[65] = "";
    uint64_t size = 0;
    *other = true;
    char *file = qz_artifact_file_path(p, path, i);
    qz_status st = file ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory looking at '%s'", path);
    if (file && differs(why, "file", f->name ? f->name : qz_path_base(file), text_of(entry, "name"))) {
        qz_free(file);
        return QZ_OK;
    }
    const bool there = st == QZ_OK && qz_path_kind_of(file) == QZ_PATH_FILE;
    if (there) st = qz_file_size(file, &size, err);
    if (there && st == QZ_OK && size == f->bytes) st = qz_sha256_file_hex(file, hex, err);
    if (st == QZ_OK && f->text) qz_sha256_bytes_hex(f->text, (size_t)f->bytes, planned);
    if (st == QZ_OK && f->copy_from) st = qz_sha256_file_hex(f->copy_from, planned, err);
    qz_free(file);
    QZ_TRY(st);
    if (!there) qz_str_printf(why, "file '%s' is missing", text_of(entry, "name"));
    else if (size != f->bytes)
        qz_str_printf(why, "file '%s': expected %llu bytes, found %llu", text_of(entry, "name"),
                      (unsigned long long)f->bytes, (unsigned long long)size);
    else
        *other = differs(why, "sha256 of its file", sha ? sha : "", hex) ||
                 (*planned && differs(why, "sha256 of a file beside the weights", planned, hex));
    return QZ_OK;
}

static qz_status compare(const qz_artifact_plan *p, const char *path, const json_t *root, bool *yes, qz_str *why,
                         qz_error *err) {
    const json_t *files = json_object_get(root, "files");
    const qz_scheme_ops *ops = qz_scheme_ops_get(p->spec.scheme);
    bool other = other_origin(p, root, why);
    if (!other && json_array_size(files) != p->n_files) {
        qz_str_printf(why, "expected %zu files, found %zu in its manifest", p->n_files, json_array_size(files));
        other = true;
    }
    for (size_t i = 0; i < p->n_files && !other; i++)
        QZ_TRY(other_file(p, i, path, json_array_get(files, i), why, &other, err));
    *yes = !other;
    if (*yes && ops->begins) QZ_TRY(ops->begins(p, path, yes, err));
    if (!other && !*yes) qz_str_puts(why, "its metadata (name, tokenizer, template) differ");
    return QZ_OK;
}

/* A text file of the artifact, byte by byte. */
static qz_status same_text(const qz_artifact_plan *p, size_t i, const char *path, bool *yes, qz_error *err) {
    const qz_artifact_file *f = &p->files[i];
    char *text = NULL;
    size_t n = 0;
    QZ_TRY(qz_read_file(path, (size_t)f->bytes + 1, &text, &n, err));
    *yes = n == f->bytes && memcmp(text, f->text, n) == 0;
    qz_free(text);
    return QZ_OK;
}
qz_status qz_artifact_as_planned(const qz_artifact_plan *plan, const char *partial, qz_error *err) {
    const qz_scheme_ops *ops = qz_scheme_ops_get(plan->spec.scheme);
    const char *file = partial;
    bool yes = true;
    if (ops->begins) QZ_TRY(ops->begins(plan, partial, &yes, err));
    for (size_t i = 0; i < plan->n_files && yes; i++) {
        char *path = plan->files[i].text ? qz_artifact_file_path(plan, partial, i) : NULL;
        qz_status st = path ? same_text(plan, i, path, &yes, err) : QZ_OK;
        if (path && !yes) file = plan->files[i].name;
        qz_free(path);
        QZ_TRY(st);
    }
    if (yes) return QZ_OK;
    return qz_fail(err, QZ_EIO,
                   "proof failed: file '%s': the header or settings found are not those that were written; the disk, "
                   "the memory or another program changed them: look at the disk, then run again",
                   file);
}

qz_status qz_artifact_finished(const qz_artifact_plan *plan, const char *path, bool *yes, qz_str *why, qz_error *err) {
    const bool folder = qz_scheme_get(plan->spec.scheme)->directory;
    *yes = false;
    if (qz_path_is_dir(path) != folder) {
        qz_str_printf(why, "expected a %s, found %s", folder ? "folder" : "file", qz_path_kind_text(path));
        return QZ_OK;
    }
    char *manifest = qz_manifest_path(path);
    json_t *root = NULL;
    if (manifest == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory looking at '%s'", path);
    qz_status st = QZ_OK;
    if (!qz_path_exists(manifest) || qz_json_load(manifest, MANIFEST_LIMIT, &root, &(qz_error){0}) != QZ_OK)
        qz_str_puts(why, "it has no manifest that says what it is");
    else st = compare(plan, path, root, yes, why, err);
    json_decref(root);
    qz_free(manifest);
    return st;
}
