#include "pipeline/gguf_jobs.h"
#include "artifacts/gguf_layout.h"
#include "artifacts/open.h"
#include "base/size.h"
#include "produce/naming.h"
#include <string.h>

static qz_status memory(qz_error *err) { return qz_fail(err, QZ_EMEMORY, "out of memory"); }

/* Keys of the model without those that say which part a file is. */
static qz_status model_keys(const qz_gguf *g, qz_gguf_meta *meta, qz_error *err) {
    static const char *const keys[] = {QZ_GGUF_SPLIT_NO, QZ_GGUF_SPLIT_COUNT, QZ_GGUF_SPLIT_TENSORS};
    for (size_t i = 0; i < g->n_kv; i++) {
        bool part = false;
        for (size_t k = 0; k < 3; k++) part |= strcmp(g->kv[i].key, keys[k]) == 0;
        if (!part) qz_gguf_put_kv(meta, &g->kv[i]);
    }
    return meta->bytes.failed ? memory(err) : QZ_OK;
}

static const qz_gguf_tensor **views(const qz_gguf *g, qz_arena *a) {
    const qz_gguf_tensor **t = qz_arena_alloc(a, g->n + 1, sizeof *t);
    for (size_t i = 0; t && i < g->n; i++) t[i] = &g->tensors[i];
    return t;
}

/* The sub-command is no input. */
static qz_request behind(const qz_request *r) {
    qz_request sub = *r;
    sub.operands++;
    sub.n_operands--;
    return sub;
}

/* ---- the manifest goes with the tensors ---- */
/* What its manifest does not describe would get a new hash that vouches for it: then it is not carried. */
static qz_status fits_manifest(qz_run *run, const char *path, qz_arena *a, bool *yes, qz_error *err) {
    char *name = qz_manifest_path(path);
    qz_table t;
    *yes = name && qz_path_exists(name);
    qz_status st = *yes ? qz_artifact_verify_hashes(path, a, &t, err) : QZ_OK;
    for (size_t i = 0; st == QZ_OK && *yes && i < t.n_rows; i++)
        if (strcmp(qz_table_cell(&t, i, 1), "ok") != 0) {
            qz_warn(run, "the manifest '%s' is not carried over: %s: %s", name, qz_table_cell(&t, i, 0),
                    qz_table_cell(&t, i, 2));
            *yes = false;
        }
    qz_free(name);
    return st;
}

/* All temporary files get their names, the manifest with them: the first file last but for it, as its readers begin
 * there. Without one, another's of an output replaced goes. */
static qz_status name_all(const char *from, bool carried, const qz_manifest_file *files, size_t n, qz_arena *a,
                          qz_gguf_done *d, qz_error *err) {
    char *manifest = NULL, *old = qz_manifest_path(files[0].path);
    qz_move *moves = qz_arena_calloc(a, n + 1, sizeof *moves);
    qz_status st = moves && old ? QZ_OK : memory(err);
    if (st == QZ_OK && carried) st = qz_manifest_recut(from, files, n, &manifest, err);
    d->manifest = manifest != NULL;
    for (size_t i = 0; i < n && st == QZ_OK; i++) {
        moves[n - 1 - i] = (qz_move){qz_arena_printf(a, "%s.partial", files[i].path), files[i].path};
        if (moves[n - 1 - i].from == NULL) st = memory(err);
    }
    if (manifest && st == QZ_OK) {
        moves[n] = (qz_move){qz_arena_printf(a, "%s.partial", manifest), manifest};
        if (moves[n].from == NULL) st = memory(err);
    }
    if (st == QZ_OK && manifest == NULL && qz_path_exists(old)) st = qz_remove_tree(old, err);
    if (st == QZ_OK) st = qz_commit(moves, n + (manifest != NULL), err);
    for (size_t i = 0; moves && i <= n && st != QZ_OK; i++)
        if (moves[i].from) (void)qz_remove_tree(moves[i].from, &(qz_error){0});
    qz_free(manifest);
    qz_free(old);
    return st;
}

/* ---- merge ---- */
static qz_status merge(qz_run *run, const qz_gguf *g, const char *out, qz_arena *a, qz_gguf_done *d, qz_error *err) {
    qz_gguf_meta meta = {0};
    char *sha = qz_arena_alloc(a, 65, 1), *partial = qz_arena_printf(a, "%s.partial", out);
    const qz_gguf_tensor **t = views(g, a);
    bool carried = false;
    *d = (qz_gguf_done){.path = out, .files = 1, .tensors = g->n, .sha256 = sha};
    qz_status st = sha && partial && t ? model_keys(g, &meta, err) : memory(err);
    if (st == QZ_OK) st = qz_disk_check(out, g->file_bytes, err);
    if (st == QZ_OK) st = fits_manifest(run, g->path, a, &carried, err);
    if (st == QZ_OK) st = qz_gguf_copy(out, &meta, t, g->n, sha, err);
    if (st == QZ_OK) st = qz_file_size(partial, &d->bytes, err);
    if (st == QZ_OK) st = name_all(g->path, carried, &(qz_manifest_file){out, d->bytes, sha}, 1, a, d, err);
    qz_gguf_meta_release(&meta);
    return st;
}

qz_status qz_gguf_merge_job(qz_run *run, const qz_request *r, qz_arena *a, qz_gguf_done *d, qz_error *err) {
    qz_gguf g;
    qz_outputs outs = {.run = run};
    const qz_request sub = behind(r);
    if (sub.n_operands != 2)
        return qz_fail(err, QZ_EUSAGE, "expected 'gguf merge PART OUT.gguf', found %zu names", sub.n_operands);
    QZ_TRY(qz_gguf_open(&g, sub.operands[0], err));
    qz_status st = QZ_OK;
    if (g.n_more == 0)
        st = qz_fail(err, QZ_EUSAGE, "not a split model: file '%s': expected one part of several", sub.operands[0]);
    if (st == QZ_OK) st = qz_outputs_claim(&outs, &sub, sub.operands[1], QZ_OUTPUT_ARTIFACT, err);
    if (st == QZ_OK) st = merge(run, &g, sub.operands[1], a, d, err);
    qz_outputs_end(&outs, st);
    qz_gguf_release(&g);
    return st;
}

/* ---- split ---- */
typedef struct { size_t *part, count; } cut;

static qz_status plan_cut(const qz_gguf *g, const qz_request *r, qz_arena *a, cut *c, qz_error *err) {
    qz_scheme_spec spec;
    const char *tensors = r->split_tensors ? r->split_tensors : r->split_size ? NULL : "128";
    const qz_gguf_wishes w = {.max_size = r->split_size, .max_tensors = tensors};
    uint64_t *padded = qz_arena_alloc(a, g->n + 1, sizeof *padded);
    c->part = qz_arena_alloc(a, g->n + 1, sizeof *c->part);
    if (!padded || !c->part) return memory(err);
    if (g->n == 0) return qz_fail(err, QZ_EUSAGE, "nothing to split: file '%s' holds no tensors", g->path);
    QZ_TRY(qz_scheme_parse("gguf", &spec, err));
    QZ_TRY(qz_gguf_layout_parse(&spec, &w, err));
    for (size_t i = 0; i < g->n; i++)
        padded[i] = (g->tensors[i].bytes + QZ_GGUF_ALIGNMENT - 1) / QZ_GGUF_ALIGNMENT * QZ_GGUF_ALIGNMENT;
    QZ_TRY(qz_gguf_layout_parts(&spec.layout, padded, g->n, c->part, &c->count, err));
    for (size_t i = 0; i < g->n && r->empty_first; i++) c->part[i]++;
    c->count += r->empty_first;
    return QZ_OK;
}

static qz_status write_part(const qz_gguf *g, const cut *c, size_t no, qz_manifest_file *file, qz_arena *a,
                            qz_error *err) {
    qz_gguf_meta meta = {0};
    const qz_gguf_tensor **t = qz_arena_alloc(a, g->n + 1, sizeof *t);
    size_t n = 0;
    for (size_t i = 0; t && i < g->n; i++)
        if (c->part[i] == no) t[n++] = &g->tensors[i];
    qz_status st = t == NULL ? memory(err) : no == 0 ? model_keys(g, &meta, err) : QZ_OK;
    qz_gguf_put_split(&meta, no, c->count, g->n);
    char *sha = qz_arena_alloc(a, 65, 1), *partial = qz_arena_printf(a, "%s.partial", file->path);
    if (st == QZ_OK && !(sha && partial)) st = memory(err);
    if (st == QZ_OK) st = qz_gguf_copy(file->path, &meta, t, n, sha, err);
    if (st == QZ_OK) st = qz_file_size(partial, &file->bytes, err);
    file->sha256 = sha;
    qz_gguf_meta_release(&meta);
    return st;
}

/* All parts under their temporary names, then all names. */
static qz_status write_parts(qz_run *run, const qz_gguf *g, const cut *c, qz_manifest_file *files, qz_arena *a,
                             qz_gguf_done *d, qz_error *err) {
    bool carried = false;
    size_t made = 0;
    qz_status st = qz_disk_check(files[0].path, g->file_bytes, err);
    if (st == QZ_OK) st = fits_manifest(run, g->path, a, &carried, err);
    *d = (qz_gguf_done){.path = files[0].path, .files = c->count, .tensors = g->n};
    for (; made < c->count && st == QZ_OK; made++) {
        st = write_part(g, c, made, &files[made], a, err);
        d->bytes += files[made].bytes;
    }
    if (st == QZ_OK) return name_all(g->path, carried, files, c->count, a, d, err);
    for (size_t i = 0; i < made; i++) {
        char *partial = qz_arena_printf(a, "%s.partial", files[i].path);
        if (partial) (void)qz_remove_tree(partial, &(qz_error){0});
    }
    return st;
}

static qz_status split(qz_outputs *outs, const qz_gguf *g, const qz_request *sub, qz_arena *a, qz_gguf_done *d,
                       qz_error *err) {
    cut c = {0};
    QZ_TRY(plan_cut(g, sub, a, &c, err));
    qz_manifest_file *files = qz_arena_calloc(a, c.count, sizeof *files);
    if (!files) return memory(err);
    for (size_t i = 0; i < c.count; i++) {
        char *name = qz_gguf_part_path(sub->operands[1], i, c.count);
        files[i].path = name ? qz_arena_strdup(a, name) : NULL;
        qz_free(name);
        if (!files[i].path) return memory(err);
    }
    QZ_TRY(qz_outputs_claim_parts(outs, sub, files[0].path, c.count, err));
    return write_parts(outs->run, g, &c, files, a, d, err);
}

qz_status qz_gguf_split_job(qz_run *run, const qz_request *r, qz_arena *a, qz_gguf_done *d, qz_error *err) {
    qz_gguf g;
    qz_outputs outs = {.run = run};
    const qz_request sub = behind(r);
    if (sub.n_operands != 2)
        return qz_fail(err, QZ_EUSAGE, "expected 'gguf split FILE OUT', found %zu names", sub.n_operands);
    if (qz_output_is_place(sub.operands[1]))
        return qz_fail(err, QZ_EUSAGE, "'%s' is a folder: expected a name for the parts, for example '%s%s%s'",
                       sub.operands[1], sub.operands[1], qz_str_ends(sub.operands[1], "/") ? "" : "/",
                       qz_path_base(sub.operands[0]));
    QZ_TRY(qz_gguf_open(&g, sub.operands[0], err));
    qz_status st = split(&outs, &g, &sub, a, d, err);
    qz_outputs_end(&outs, st);
    qz_gguf_release(&g);
    return st;
}
