#include "produce/repair.h"
#include "artifacts/folder.h"
#include "artifacts/open.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "formats/dtypes.h"
#include "produce/catalog.h"
#include <stdlib.h>
#include <string.h>

#define MANIFEST "quantz-manifest.json"
#define INDEX "model.safetensors.index.json"
#define LIMIT ((size_t)64 << 20)

typedef struct {
    qz_repair *j;
    const char *dir;          /* that is written */
    json_t *files;            /* of the manifest */
    json_t *map;              /* of the index: tensor -> file */
    uint64_t tensor_bytes;
} writing;

static qz_status no_memory(const char *dir, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", dir);
}

/* ---- weights ---- */
static qz_status list_file(writing *w, const char *name, const char *sha, uint64_t bytes, qz_error *err) {
    json_t *e = json_pack("{s:s, s:I, s:s}", "name", name, "bytes", (json_int_t)bytes, "sha256", sha);
    w->j->files++;
    w->j->bytes += bytes;
    return json_array_append_new(w->files, e) == 0 ? QZ_OK : no_memory(w->dir, err);
}

static void count(qz_repair *j, const qz_mended *x) {
    if (!x->t) j->added++;
    else if (x->again) j->coded++;
    else if (x->data) j->changed++;
    else j->exact++;
    j->renamed += x->t && strcmp(x->t->name, x->item.name) != 0;
}

static qz_status put_tensors(writing *w, qz_st_writer *out, const size_t *at, size_t n, qz_error *err) {
    qz_arena scratch = {0};
    qz_status st = QZ_OK;
    for (size_t i = 0; i < n && st == QZ_OK; i++) {
        const uint8_t *bytes;
        uint64_t size = 0;
        qz_arena_reset(&scratch);
        st = qz_mended_bytes(w->j->run, &w->j->m, at[i], &scratch, &bytes, &size, err);
        if (st == QZ_OK && size) st = qz_st_writer_write(out, bytes, (size_t)size, err);
        w->tensor_bytes += size;
        count(w->j, &w->j->m.t[at[i]]);
        qz_progress_step(w->j->run, "mending", i + 1, n, "tensors");
    }
    qz_arena_release(&scratch);
    return st;
}

static qz_status put_shard(writing *w, const qz_st *file, qz_error *err) {
    qz_mending *m = &w->j->m;
    const char *name = qz_path_base(file->path);
    qz_arena a = {0};
    size_t n = 0, *at = qz_arena_alloc(&a, m->n + 1, sizeof *at);
    qz_st_item *items = qz_arena_alloc(&a, m->n + 1, sizeof *items);
    char *path = qz_path_join(w->dir, name), sha[65];
    qz_st_writer out = {0};
    uint64_t bytes = 0;
    qz_status st = at && items && path ? QZ_OK : no_memory(w->dir, err);
    for (size_t i = 0; i < m->n && st == QZ_OK; i++) {
        if (m->t[i].file != file || m->t[i].out) continue;
        at[n] = i, items[n++] = m->t[i].item;
        if (json_object_set_new(w->map, m->t[i].item.name, json_string(name)) != 0) st = no_memory(w->dir, err);
    }
    const qz_st_plan plan = {items, n, file->meta, file->n_meta};
    if (st == QZ_OK) st = qz_st_writer_open(&out, path, &plan, err);
    const bool opened = st == QZ_OK;
    if (st == QZ_OK) st = put_tensors(w, &out, at, n, err);
    if (st == QZ_OK) st = qz_st_writer_commit(&out, sha, err);
    else if (opened) qz_st_writer_abort(&out, false);
    if (st == QZ_OK) st = qz_file_size(path, &bytes, err);
    if (st == QZ_OK) st = list_file(w, name, sha, bytes, err);
    qz_free(path);
    qz_arena_release(&a);
    return st;
}

/* ---- files beside them ---- */
static qz_status put_json(writing *w, const char *name, const json_t *root, bool listed, qz_error *err) {
    char *text = root ? qz_folder_json(root) : NULL, *path = qz_path_join(w->dir, name), sha[65];
    qz_str s = {0};
    qz_str_printf(&s, "%s\n", text ? text : "");
    qz_status st = text && path && !s.failed ? qz_write_file(path, s.ptr, s.len, err) : no_memory(w->dir, err);
    if (st == QZ_OK && listed) {
        qz_sha256_bytes_hex(s.ptr, s.len, sha);
        st = list_file(w, name, sha, s.len, err);
    }
    free(text); /* jansson's */
    qz_free(path);
    qz_str_release(&s);
    return st;
}

static bool written_here(const qz_repair *j, const char *name) {
    const qz_mending *m = &j->m;
    bool yes = strcmp(name, MANIFEST) == 0 || strcmp(name, INDEX) == 0 ||
               (m->config_changed && strcmp(name, "config.json") == 0) ||
               (m->twin_changed && strcmp(name, "hf_quant_config.json") == 0);
    for (size_t f = 0; f < m->dir.n_files; f++) yes |= strcmp(name, qz_path_base(m->dir.files[f].path)) == 0;
    return yes;
}

/* As it stands; weights that no loader opens, and folders, stay behind. */
static qz_status carry(writing *w, const char *name, qz_error *err) {
    char *from = qz_path_join(w->j->m.path, name), *to = qz_path_join(w->dir, name), sha[65];
    uint64_t bytes = 0;
    qz_status st = from && to ? QZ_OK : no_memory(w->dir, err);
    const bool left = st == QZ_OK && (qz_path_is_dir(from) || qz_str_ends(name, ".safetensors") || *name == '.');
    if (left) qz_info_once(w->j->run, "note: '%s' of the folder is not carried over", name);
    if (st == QZ_OK && !left) st = qz_copy_file(from, to, err);
    if (st == QZ_OK && !left) st = qz_sha256_file_hex(to, sha, err);
    if (st == QZ_OK && !left) st = qz_file_size(to, &bytes, err);
    if (st == QZ_OK && !left) st = list_file(w, name, sha, bytes, err);
    qz_free(from);
    qz_free(to);
    return st;
}

static qz_status put_beside(writing *w, qz_error *err) {
    const qz_mending *m = &w->j->m;
    char **names = NULL;
    size_t n = 0;
    if (m->dir.sharded) {
        json_t *index = json_pack("{s:{s:I}, s:O}", "metadata", "total_size", (json_int_t)w->tensor_bytes, "weight_map",
                                  w->map);
        qz_status st = put_json(w, INDEX, index, true, err);
        json_decref(index);
        QZ_TRY(st);
    }
    if (m->config_changed) QZ_TRY(put_json(w, "config.json", m->config, true, err));
    if (m->twin_changed) QZ_TRY(put_json(w, "hf_quant_config.json", m->twin, true, err));
    qz_status st = qz_list_dir(m->path, &names, &n, err);
    for (size_t i = 0; i < n && st == QZ_OK; i++)
        if (!written_here(w->j, names[i])) st = carry(w, names[i], err);
    qz_free_names(names, n);
    return st;
}

/* The source's own manifest with the files of now, or a new one. */
static qz_status put_manifest(writing *w, qz_error *err) {
    const qz_mending *m = &w->j->m;
    char *before = qz_path_join(m->path, MANIFEST);
    json_t *root = NULL, *list = json_array();
    qz_status st = before && list ? QZ_OK : no_memory(w->dir, err);
    if (st == QZ_OK && qz_path_exists(before)) st = qz_json_load(before, LIMIT, &root, err);
    for (size_t i = 0; i < m->n_faults && st == QZ_OK; i++) {
        const qz_fault *f = &m->faults[i];
        json_t *one = json_pack("{s:s, s:s, s:I, s:s, s:s}", "fault", qz_fault_info_of(f->kind)->word, "subject",
                                f->subject, "tensors", (json_int_t)f->n, "problem", f->problem, "mended", f->mend);
        if (json_array_append_new(list, one) != 0) st = no_memory(w->dir, err);
    }
    if (st == QZ_OK && !root)
        root = json_pack("{s:i, s:{s:s}}", "manifest", 1, "provenance", "version", qz_catalog_version());
    if (st == QZ_OK && (json_object_set(root, "files", w->files) != 0 ||
                        json_object_set(json_object_get(root, "provenance"), "repaired", list) != 0))
        st = no_memory(w->dir, err);
    const qz_request *r = w->j->r;
    if (st == QZ_OK && r->data && (m->n_missing || m->n_cache) &&
        json_object_set_new(json_object_get(root, "provenance"), "repair_calibration",
                            json_pack("{s:s, s:I, s:I}", "data", qz_path_base(r->data), "samples",
                                      (json_int_t)r->samples, "seq_len", (json_int_t)r->seq_len)) != 0)
        st = no_memory(w->dir, err);
    if (st == QZ_OK) st = put_json(w, MANIFEST, root, false, err);
    json_decref(root);
    json_decref(list);
    qz_free(before);
    return st;
}

static qz_status write_folder(qz_repair *j, const char *dir, qz_error *err) {
    writing w = {.j = j, .dir = dir, .files = json_array(), .map = json_object()};
    j->files = j->exact = j->coded = j->changed = j->added = j->dropped = j->renamed = 0;
    j->bytes = 0;
    qz_status st = w.files && w.map ? qz_remove_tree(dir, err) : no_memory(dir, err);
    if (st == QZ_OK) st = qz_make_dirs(dir, err);
    qz_progress_begin(j->run);
    for (size_t f = 0; f < j->m.dir.n_files && st == QZ_OK; f++) st = put_shard(&w, &j->m.dir.files[f], err);
    qz_progress_end(j->run);
    for (size_t i = 0; i < j->m.n; i++) j->dropped += j->m.t[i].out;
    if (st == QZ_OK) st = put_beside(&w, err);
    if (st == QZ_OK) st = put_manifest(&w, err);
    if (st == QZ_OK) st = qz_sync_dir(dir, err);
    json_decref(w.files);
    json_decref(w.map);
    return st;
}

/* ---- proof ---- */
/* A text about the temporary folder. */
static const char *under_final_name(qz_repair *j, const char *text) {
    const char *at = strstr(text, j->partial);
    return at ? qz_arena_printf(&j->m.arena, "%.*s%s%s", (int)(at - text), text, j->out, at + strlen(j->partial))
              : qz_arena_strdup(&j->m.arena, text);
}

/* Nothing is found in it any more, and it opens; a family that does not run here is said. */
static qz_status prove(qz_repair *j, const char *dir, qz_error *err) {
    qz_mending again;
    qz_model *model = NULL;
    qz_error e = {0};
    qz_run silent = *j->run; /* of the temporary name */
    silent.log = NULL;
    silent.hook = NULL;
    QZ_TRY(qz_faults_find(&silent, dir, false, &again, err));
    qz_status st = again.n_faults == 0 ? QZ_OK
                                       : qz_fail(err, QZ_EBUG, "still faulty: folder '%s', '%s': %s", dir,
                                                 again.faults[0].subject, again.faults[0].problem);
    qz_mending_release(&again);
    if (st != QZ_OK) return st;
    st = qz_artifact_open(&silent, dir, &model, &e);
    qz_model_free(model);
    if (st == QZ_EUNSUPPORTED) j->opens = under_final_name(j, e.text);
    else if (st != QZ_OK) return qz_fail(err, st, "the mended folder does not open: %s", e.text);
    return QZ_OK;
}

qz_status qz_repair_find(qz_repair *j, qz_error *err) {
    const char *path = j->r->operands[0];
    if (!qz_path_is_dir(path))
        return qz_fail(err, QZ_EUSAGE,
                       "nothing to repair: '%s': expected a folder of safetensors (FP8 or NVFP4 of compressed-tensors, "
                       "ModelOpt or fp8), found %s",
                       path, qz_path_kind_text(path));
    return qz_faults_find(j->run, path, true, &j->m, err);
}

/* Data for what only data can give: written once to be run. The arithmetic of calibration rounds no inputs and keeps a
 * cache of floats, so any scale will do there. */
static qz_status with_data(qz_repair *j, qz_error *err) {
    qz_mending anew;
    for (size_t i = 0; i < j->m.n_missing; i++) QZ_TRY(qz_mend_input(&j->m, i, 1, err));
    QZ_TRY(write_folder(j, j->partial, err));
    QZ_TRY(qz_faults_find(j->run, j->m.path, false, &anew, err));
    for (size_t i = 0; i < anew.n_faults && i < j->m.n_faults; i++) /* measured once */
        anew.faults[i].cost = j->m.faults[i].cost, anew.faults[i].left = j->m.faults[i].left;
    qz_mending_release(&j->m);
    j->m = anew;
    return qz_repair_measure(j, j->partial, &j->m, err);
}

qz_status qz_repair_write(qz_repair *j, qz_error *err) {
    const bool lacks = j->m.n_missing || j->m.n_cache;
    qz_str s = {0};
    qz_str_printf(&s, "%s.partial", j->out);
    if (s.failed || !(j->partial = qz_strdup(s.ptr))) {
        qz_str_release(&s);
        return no_memory(j->out, err);
    }
    qz_str_release(&s);
    if (j->r->dry_run) return j->r->data ? QZ_OK : qz_mend_without_data(&j->m, err);
    QZ_TRY(qz_disk_check(j->out, j->m.dir.file_bytes, err));
    qz_status st = lacks && j->r->data ? with_data(j, err) : qz_mend_without_data(&j->m, err);
    if (st == QZ_OK) st = write_folder(j, j->partial, err);
    if (st == QZ_OK) st = prove(j, j->partial, err);
    if (st == QZ_OK) st = qz_commit(&(qz_move){j->partial, j->out}, 1, err);
    if (st != QZ_OK) {
        qz_error ignored = {0};
        (void)qz_remove_tree(j->partial, &ignored);
    }
    return st;
}

void qz_repair_release(qz_repair *j) {
    qz_mending_release(&j->m);
    qz_free(j->partial);
    j->partial = NULL;
}
