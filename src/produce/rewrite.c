#include "produce/rewrite.h"
#include "artifacts/folder.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "produce/catalog.h"
#include <stdlib.h>
#include <string.h>

#define MANIFEST "quantz-manifest.json"
#define INDEX "model.safetensors.index.json"
#define LIMIT ((size_t)64 << 20)

typedef struct {
    qz_rewrite *w;
    const char *dir;          /* that is written */
    json_t *files;            /* of the manifest */
    json_t *map;              /* of the index: tensor -> file */
    uint64_t tensor_bytes;
} writing;

static qz_status no_memory(const char *dir, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", dir);
}

/* ---- weights ---- */
static qz_status list_file(writing *x, const char *name, const char *sha, uint64_t bytes, qz_error *err) {
    json_t *e = json_pack("{s:s, s:I, s:s}", "name", name, "bytes", (json_int_t)bytes, "sha256", sha);
    x->w->files++;
    x->w->bytes += bytes;
    return json_array_append_new(x->files, e) == 0 ? QZ_OK : no_memory(x->dir, err);
}

static qz_status put_tensors(writing *x, qz_st_writer *out, const qz_st_item *items, const size_t *at, size_t n,
                             qz_error *err) {
    qz_arena scratch = {0};
    qz_status st = QZ_OK;
    for (size_t i = 0; i < n && st == QZ_OK; i++) {
        uint64_t size = 0;
        qz_arena_reset(&scratch);
        st = qz_st_item_bytes(&items[i], &size, err);
        if (st == QZ_OK) st = x->w->put(x->w->job, at[i], out, &scratch, err);
        x->tensor_bytes += size;
        qz_progress_step(x->w->run, x->w->stage, i + 1, n, "tensors");
    }
    qz_arena_release(&scratch);
    return st;
}

static qz_status put_shard(writing *x, const qz_st *file, qz_error *err) {
    qz_rewrite *w = x->w;
    const char *name = qz_path_base(file->path);
    qz_arena a = {0};
    size_t n = 0, *at = qz_arena_alloc(&a, w->n + 1, sizeof *at);
    qz_st_item *items = qz_arena_alloc(&a, w->n + 1, sizeof *items);
    char *path = qz_path_join(x->dir, name), sha[65];
    qz_st_writer out = {0};
    uint64_t bytes = 0;
    qz_status st = at && items && path ? QZ_OK : no_memory(x->dir, err);
    for (size_t i = 0; i < w->n && st == QZ_OK; i++) {
        const qz_st *in = NULL;
        if (!w->item(w->job, i, &in, &items[n]) || in != file) continue;
        if (json_object_set_new(x->map, items[n].name, json_string(name)) != 0) st = no_memory(x->dir, err);
        at[n++] = i;
    }
    const qz_st_plan plan = {items, n, file->meta, file->n_meta};
    if (st == QZ_OK) st = qz_st_writer_open(&out, path, &plan, err);
    const bool opened = st == QZ_OK;
    if (st == QZ_OK) st = put_tensors(x, &out, items, at, n, err);
    if (st == QZ_OK) st = qz_st_writer_commit(&out, sha, err);
    else if (opened) qz_st_writer_abort(&out, false);
    if (st == QZ_OK) st = qz_file_size(path, &bytes, err);
    if (st == QZ_OK) st = list_file(x, name, sha, bytes, err);
    qz_free(path);
    qz_arena_release(&a);
    return st;
}

/* ---- files beside them ---- */
static qz_status put_json(writing *x, const char *name, const json_t *root, bool listed, qz_error *err) {
    char *text = root ? qz_folder_json(root) : NULL, *path = qz_path_join(x->dir, name), sha[65];
    qz_str s = {0};
    qz_str_printf(&s, "%s\n", text ? text : "");
    qz_status st = text && path && !s.failed ? qz_write_file(path, s.ptr, s.len, err) : no_memory(x->dir, err);
    if (st == QZ_OK && listed) {
        qz_sha256_bytes_hex(s.ptr, s.len, sha);
        st = list_file(x, name, sha, s.len, err);
    }
    free(text); /* jansson's */
    qz_free(path);
    qz_str_release(&s);
    return st;
}

static bool written_here(const qz_rewrite *w, const char *name) {
    bool yes = strcmp(name, MANIFEST) == 0 || strcmp(name, INDEX) == 0;
    for (size_t i = 0; i < w->n_json; i++) yes |= w->json[i].root && strcmp(w->json[i].name, name) == 0;
    for (size_t f = 0; f < w->dir->n_files; f++) yes |= strcmp(name, qz_path_base(w->dir->files[f].path)) == 0;
    return yes;
}

/* As it stands; weights that no loader opens, and folders, stay behind. */
static qz_status carry(writing *x, const char *name, qz_error *err) {
    char *from = qz_path_join(x->w->from, name), *to = qz_path_join(x->dir, name), sha[65];
    uint64_t bytes = 0;
    qz_status st = from && to ? QZ_OK : no_memory(x->dir, err);
    const bool left = st == QZ_OK && (qz_path_is_dir(from) || qz_str_ends(name, ".safetensors") || *name == '.');
    if (left) qz_info_once(x->w->run, "note: '%s' of the folder is not carried over", name);
    if (st == QZ_OK && !left) st = qz_copy_file(from, to, err);
    if (st == QZ_OK && !left) st = qz_sha256_file_hex(to, sha, err);
    if (st == QZ_OK && !left) st = qz_file_size(to, &bytes, err);
    if (st == QZ_OK && !left) st = list_file(x, name, sha, bytes, err);
    qz_free(from);
    qz_free(to);
    return st;
}

static qz_status put_beside(writing *x, qz_error *err) {
    const qz_rewrite *w = x->w;
    char **names = NULL;
    size_t n = 0;
    if (w->dir->sharded) {
        json_t *index = json_pack("{s:{s:I}, s:O}", "metadata", "total_size", (json_int_t)x->tensor_bytes, "weight_map",
                                  x->map);
        qz_status st = put_json(x, INDEX, index, true, err);
        json_decref(index);
        QZ_TRY(st);
    }
    for (size_t i = 0; i < w->n_json; i++)
        if (w->json[i].root) QZ_TRY(put_json(x, w->json[i].name, w->json[i].root, true, err));
    qz_status st = qz_list_dir(w->from, &names, &n, err);
    for (size_t i = 0; i < n && st == QZ_OK; i++)
        if (!written_here(w, names[i]) && !qz_str_ends(names[i], ".partial.lock")) /* of a job, this one's too */
            st = carry(x, names[i], err);
    qz_free_names(names, n);
    return st;
}

/* The source's own manifest with the files of now, or a new one. */
static qz_status put_manifest(writing *x, qz_error *err) {
    char *before = qz_path_join(x->w->from, MANIFEST);
    json_t *root = NULL;
    qz_status st = before ? QZ_OK : no_memory(x->dir, err);
    if (st == QZ_OK && x->w->keep_manifest && qz_path_exists(before)) st = qz_json_load(before, LIMIT, &root, err);
    if (st == QZ_OK && !root)
        root = json_pack("{s:i, s:{s:s}}", "manifest", 1, "provenance", "version", qz_catalog_version());
    if (st == QZ_OK && json_object_set(root, "files", x->files) != 0) st = no_memory(x->dir, err);
    if (st == QZ_OK && !json_is_object(json_object_get(root, "provenance")) &&
        json_object_set_new(root, "provenance", json_object()) != 0)
        st = no_memory(x->dir, err);
    if (st == QZ_OK) st = x->w->provenance(x->w->job, json_object_get(root, "provenance"), err);
    if (st == QZ_OK) st = put_json(x, MANIFEST, root, false, err);
    json_decref(root);
    qz_free(before);
    return st;
}

qz_status qz_rewrite_folder(qz_rewrite *w, const char *dir, qz_error *err) {
    writing x = {.w = w, .dir = dir, .files = json_array(), .map = json_object()};
    w->files = 0;
    w->bytes = 0;
    qz_status st = x.files && x.map ? qz_remove_tree(dir, err) : no_memory(dir, err);
    if (st == QZ_OK) st = qz_make_dirs(dir, err);
    qz_progress_begin(w->run);
    for (size_t f = 0; f < w->dir->n_files && st == QZ_OK; f++) st = put_shard(&x, &w->dir->files[f], err);
    qz_progress_end(w->run);
    if (st == QZ_OK) st = put_beside(&x, err);
    if (st == QZ_OK) st = put_manifest(&x, err);
    if (st == QZ_OK) st = qz_sync_dir(dir, err);
    json_decref(x.files);
    json_decref(x.map);
    return st;
}
