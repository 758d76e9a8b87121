/* Checkpoint directories: model.safetensors, model.safetensors.index.json with its shards, or one .safetensors file of
 * any name (gptq_model-4bit-128g.safetensors). */
#include "formats/safetensors.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include <stdlib.h>
#include <string.h>

#define INDEX_LIMIT ((size_t)256 << 20)
static const char single_name[] = "model.safetensors", index_name[] = "model.safetensors.index.json";

static bool present(const char *dir, const char *name) {
    char *p = qz_path_join(dir, name);
    bool yes = p && qz_path_exists(p);
    qz_free(p);
    return yes;
}

bool qz_st_dir_present(const char *dir) { return present(dir, single_name) || present(dir, index_name); }

static bool plain_name(const char *s) {
    return s[0] && s[0] != '.' && !strchr(s, '/') && !strchr(s, '\\') && qz_str_ends(s, ".safetensors");
}

static int cmp_str(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Sorted unique shard names of the weight map, all plain names. */
static qz_status shard_names(qz_st_dir *d, const json_t *map, const char *path, const char ***out, size_t *n_out,
                             qz_error *err) {
    size_t n = 0, u = 0;
    const char **names = qz_arena_alloc(&d->arena, json_object_size(map) + 1, sizeof *names);
    if (!names) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", path);
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)map, key, v) {
        if (!json_is_string(v))
            return qz_fail(err, QZ_EFORMAT, "bad weight_map: file '%s', tensor '%.200s': expected a file name", path,
                           key);
        const char *s = json_string_value(v);
        if (!plain_name(s))
            return qz_fail(err, QZ_EFORMAT,
                           "bad shard name: file '%s', tensor '%.200s': expected a plain name ending in .safetensors, "
                           "found '%.200s'",
                           path, key, s);
        names[n++] = s;
    }
    if (n == 0) return qz_fail(err, QZ_EFORMAT, "empty weight_map: file '%s'", path);
    qsort(names, n, sizeof *names, cmp_str);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[u - 1])) names[u++] = names[i];
    *out = names;
    *n_out = u;
    return QZ_OK;
}

static qz_status missing_shards(const char *dir, const char *path, const char *const *names, size_t n, qz_error *err) {
    qz_str text = {0};
    size_t gone = 0;
    for (size_t i = 0; i < n; i++) {
        if (present(dir, names[i])) continue;
        if (gone < 5) qz_str_printf(&text, "%s'%s'", gone ? ", " : "", names[i]);
        gone++;
    }
    qz_status s = QZ_OK;
    if (gone)
        s = qz_fail(err, QZ_EFORMAT,
                    "missing shards: file '%s': %zu of %zu are not there: %s%s; download the complete checkpoint", path,
                    gone, n, text.ptr ? text.ptr : "", gone > 5 ? " …" : "");
    qz_str_release(&text);
    return s;
}

static const qz_st *shard_by_name(const qz_st_dir *d, const char *const *names, const char *name) {
    size_t lo = 0, hi = d->n_files;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(name, names[mid]);
        if (c == 0) return &d->files[mid];
        if (c < 0) hi = mid;
        else lo = mid + 1;
    }
    return NULL;
}

/* Every mapped tensor is in its shard; every tensor of a shard is mapped to that shard (so none is in two). */
static qz_status check_map(const qz_st_dir *d, const json_t *map, const char *const *names, const char *path,
                           qz_error *err) {
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)map, key, v) {
        const qz_st *f = shard_by_name(d, names, json_string_value(v));
        if (!f || !qz_st_find(f, key))
            return qz_fail(err, QZ_EFORMAT,
                           "tensor missing from its shard: file '%s', tensor '%.200s': expected in '%s'", path, key,
                           json_string_value(v));
    }
    for (size_t i = 0; i < d->n_files; i++)
        for (size_t k = 0; k < d->files[i].n; k++) {
            const char *name = d->files[i].tensors[k].name;
            const json_t *w = json_object_get(map, name);
            if (!w || strcmp(json_string_value(w), names[i]))
                return qz_fail(err, QZ_EFORMAT,
                               "tensor not in the index: file '%s', tensor '%.200s': the index names %s%s; the shards "
                               "do not belong together",
                               d->files[i].path, name, w ? "shard " : "no shard", w ? json_string_value(w) : "");
        }
    return QZ_OK;
}

static qz_status open_files(qz_st_dir *d, const char *dir, const char *const *names, size_t n, qz_error *err) {
    d->files = qz_arena_calloc(&d->arena, n, sizeof *d->files);
    if (!d->files) return qz_fail(err, QZ_EMEMORY, "out of memory: %zu shards", n);
    for (size_t i = 0; i < n; i++) {
        char *p = qz_path_join(dir, names[i]);
        if (!p) return qz_fail(err, QZ_EMEMORY, "out of memory");
        qz_status s = qz_st_open(&d->files[i], p, err);
        qz_free(p);
        QZ_TRY(s);
        d->n_files++;
        d->n_tensors += d->files[i].n;
        d->file_bytes += d->files[i].map.size;
        d->tensor_bytes += d->files[i].map.size - d->files[i].header_bytes;
    }
    return QZ_OK;
}

static qz_status open_sharded(qz_st_dir *d, const char *dir, qz_error *err) {
    char *path = qz_path_join(dir, index_name);
    json_t *root = NULL;
    qz_status st = QZ_OK;
    const char **names = NULL;
    size_t n = 0;
    if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory");
    QZ_GOTO(qz_json_load(path, INDEX_LIMIT, &root, err));
    const json_t *map = json_object_get(root, "weight_map");
    if (!json_is_object(map)) {
        st = qz_fail(err, QZ_EFORMAT, "bad index: file '%s': expected key 'weight_map' with an object", path);
        goto out;
    }
    QZ_GOTO(shard_names(d, map, path, &names, &n, err));
    QZ_GOTO(missing_shards(dir, path, names, n, err));
    QZ_GOTO(open_files(d, dir, names, n, err));
    QZ_GOTO(check_map(d, map, names, path, err));
    d->sharded = true;
out:
    json_decref(root);
    qz_free(path);
    return st;
}

/* The only .safetensors file of the folder, in the arena; NULL if there is none or several. */
static qz_status lone_file(qz_st_dir *d, const char *dir, const char **name, size_t *count, qz_error *err) {
    char **names = NULL;
    size_t n = 0, found = 0;
    *name = NULL;
    if (!qz_path_is_dir(dir)) return QZ_OK;
    QZ_TRY(qz_list_dir(dir, &names, &n, err));
    for (size_t i = 0; i < n; i++)
        if (plain_name(names[i]) && found++ == 0) *name = qz_arena_strdup(&d->arena, names[i]);
    qz_free_names(names, n);
    if (found != 1) *name = NULL;
    *count = found;
    return QZ_OK;
}

/* Weights beside those that were opened: engines ignore them, the user should know. */
static qz_status count_others(qz_st_dir *d, const char *dir, qz_error *err) {
    char **names = NULL;
    size_t n = 0;
    QZ_TRY(qz_list_dir(dir, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        bool open = !plain_name(names[i]);
        for (size_t f = 0; f < d->n_files && !open; f++) open = strcmp(qz_path_base(d->files[f].path), names[i]) == 0;
        if (!open && d->n_others++ == 0) d->other = qz_arena_strdup(&d->arena, names[i]);
    }
    qz_free_names(names, n);
    return d->n_others && !d->other ? qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", dir) : QZ_OK;
}

#define ADAPTER \
    "a LoRA adapter, no model: folder '%s': expected model.safetensors or model.safetensors.index.json; give it " \
    "beside its base model (run, eval --lora) or merge it (merge BASE ADAPTER)"

qz_status qz_st_dir_open(qz_st_dir *d, const char *dir, qz_error *err) {
    memset(d, 0, sizeof *d);
    const char *one = single_name;
    char found[96] = "";
    size_t count = 0;
    qz_status s = QZ_OK;
    if (!present(dir, single_name) && !present(dir, index_name)) s = lone_file(d, dir, &one, &count, err);
    if (s == QZ_OK && one && present(dir, one)) s = open_files(d, dir, &one, 1, err);
    else if (s == QZ_OK && present(dir, index_name)) s = open_sharded(d, dir, err);
    else if (s == QZ_OK) {
        if (count) (void)snprintf(found, sizeof found, ", found %zu other .safetensors files and no index", count);
        if (present(dir, "adapter_config.json")) s = qz_fail(err, QZ_EFORMAT, ADAPTER, dir);
        else s = qz_fail(err, qz_path_is_dir(dir) ? QZ_EFORMAT : QZ_EIO,
                    "no weights: folder '%s': expected model.safetensors or model.safetensors.index.json%s", dir,
                    present(dir, "pytorch_model.bin") || present(dir, "pytorch_model.bin.index.json")
                        ? ", found pickle files, which can run code; save the model as safetensors" : found);
    }
    if (s == QZ_OK) s = count_others(d, dir, err);
    if (s != QZ_OK) qz_st_dir_release(d);
    return s;
}

void qz_st_dir_release(qz_st_dir *d) {
    for (size_t i = 0; i < d->n_files; i++) qz_st_release(&d->files[i]);
    qz_arena_release(&d->arena);
    memset(d, 0, sizeof *d);
}

const qz_st_tensor *qz_st_dir_find(const qz_st_dir *d, const char *name, const qz_st **file) {
    for (size_t i = 0; i < d->n_files; i++) {
        const qz_st_tensor *t = qz_st_find(&d->files[i], name);
        if (t) {
            if (file) *file = &d->files[i];
            return t;
        }
    }
    return NULL;
}
