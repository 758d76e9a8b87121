#include "pipeline/gguf_jobs.h"
#include "artifacts/gguf_layout.h"
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

/* ---- merge ---- */
static qz_status merge(const qz_gguf *g, const char *out, qz_arena *a, qz_gguf_done *d, qz_error *err) {
    qz_gguf_meta meta = {0};
    char *sha = qz_arena_alloc(a, 65, 1);
    const qz_gguf_tensor **t = views(g, a);
    qz_status st = sha && t ? model_keys(g, &meta, err) : memory(err);
    if (st == QZ_OK) st = qz_disk_check(out, g->file_bytes, err);
    if (st == QZ_OK) st = qz_gguf_copy(out, &meta, t, g->n, sha, err);
    if (st == QZ_OK) st = qz_commit_partial(out, err);
    qz_gguf_meta_release(&meta);
    *d = (qz_gguf_done){.path = out, .files = 1, .tensors = g->n, .sha256 = sha};
    return st == QZ_OK ? qz_file_size(out, &d->bytes, err) : st;
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
    if (st == QZ_OK) st = qz_outputs_claim(&outs, &sub, sub.operands[1], QZ_OUTPUT_FILE, err);
    if (st == QZ_OK) st = merge(&g, sub.operands[1], a, d, err);
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

static qz_status write_part(const qz_gguf *g, const cut *c, size_t no, const char *path, qz_arena *a, qz_error *err) {
    qz_gguf_meta meta = {0};
    const qz_gguf_tensor **t = qz_arena_alloc(a, g->n + 1, sizeof *t);
    size_t n = 0;
    for (size_t i = 0; t && i < g->n; i++)
        if (c->part[i] == no) t[n++] = &g->tensors[i];
    qz_status st = t == NULL ? memory(err) : no == 0 ? model_keys(g, &meta, err) : QZ_OK;
    qz_gguf_put_split(&meta, no, c->count, g->n);
    if (st == QZ_OK) st = qz_gguf_copy(path, &meta, t, n, NULL, err);
    qz_gguf_meta_release(&meta);
    return st;
}

/* All parts under their temporary names, then all names; the first last. */
static qz_status write_parts(const qz_gguf *g, const cut *c, char *const *names, qz_arena *a, qz_gguf_done *d,
                             qz_error *err) {
    qz_move *moves = qz_arena_calloc(a, c->count, sizeof *moves);
    qz_status st = moves ? qz_disk_check(names[0], g->file_bytes, err) : memory(err);
    for (size_t i = 0; i < c->count && st == QZ_OK; i++) {
        moves[c->count - 1 - i] = (qz_move){qz_arena_printf(a, "%s.partial", names[i]), names[i]};
        st = moves[c->count - 1 - i].from ? write_part(g, c, i, names[i], a, err) : memory(err);
    }
    if (st == QZ_OK) st = qz_commit(moves, c->count, err);
    for (size_t i = 0; moves && i < c->count && st != QZ_OK; i++)
        if (moves[i].from) (void)qz_remove_tree(moves[i].from, &(qz_error){0});
    *d = (qz_gguf_done){.path = names[0], .files = c->count, .tensors = g->n};
    for (size_t i = 0; i < c->count && st == QZ_OK; i++) {
        uint64_t bytes = 0;
        st = qz_file_size(names[i], &bytes, err);
        d->bytes += bytes;
    }
    return st;
}

static qz_status split(qz_outputs *outs, const qz_gguf *g, const qz_request *sub, qz_arena *a, qz_gguf_done *d,
                       qz_error *err) {
    cut c = {0};
    QZ_TRY(plan_cut(g, sub, a, &c, err));
    char **names = qz_arena_calloc(a, c.count, sizeof *names);
    if (!names) return memory(err);
    for (size_t i = 0; i < c.count; i++) {
        char *name = qz_gguf_part_path(sub->operands[1], i, c.count);
        names[i] = name ? qz_arena_strdup(a, name) : NULL;
        qz_free(name);
        if (!names[i]) return memory(err);
        QZ_TRY(qz_outputs_claim(outs, sub, names[i], QZ_OUTPUT_FILE, err));
    }
    return write_parts(g, &c, names, a, d, err);
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
