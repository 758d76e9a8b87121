/* Keys of a GGUF source that the plan does not write itself, and those that the user overrides (--override-kv).
 * llama-quantize copies all keys; ours are made from the configuration, and what the source says besides stays. */
#include "artifacts/artifacts_int.h"
#include "base/bytes.h"
#include "base/size.h"
#include "formats/gguf_edit.h"
#include <string.h>

/* Says something of another file: parts, data, how it came to be, blocks that are not written. */
static bool of_the_file(const char *key) {
    return qz_str_starts(key, "split.") || qz_str_starts(key, "quantz.") || qz_str_starts(key, "quantize.") ||
           strcmp(key, QZ_GGUF_ALIGNMENT_KEY) == 0 || qz_str_ends(key, ".nextn_predict_layers");
}

/* What the source calls itself; ours is guessed from the file's name. */
static bool named_by_source(const qz_artifact_plan *p, const char *key) {
    if (!qz_str_starts(key, "general.") || qz_gguf_fixed(key)) return false;
    return !(p->context->named && strcmp(key, "general.name") == 0);
}

/* Entries as a file without tensors, so that they can be looked up. */
static qz_status as_file(const qz_gguf_meta *m, qz_arena *arena, qz_gguf *g, qz_error *err) {
    const size_t n = 24 + m->bytes.len;
    uint8_t *file = qz_arena_calloc(arena, n + 1, 1);
    if (!file || m->bytes.failed) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
    memcpy(file, "GGUF\3\0\0\0", 8);
    qz_store_u64le(file + 16, m->n);
    if (m->bytes.len) memcpy(file + 24, m->bytes.ptr, m->bytes.len);
    return qz_gguf_open_memory(g, file, n, "(plan)", err);
}

static const qz_gguf_edit *edit_of(const qz_gguf_edits *e, const char *key) {
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->v[i].key, key) == 0) return &e->v[i];
    return NULL;
}

static void carry(qz_artifact_plan *p, const qz_gguf *ours, const qz_gguf *source, const qz_gguf_edits *e,
                  qz_gguf_meta *out) {
    for (size_t i = 0; i < ours->n_kv; i++) {
        const qz_gguf_kv *kv = &ours->kv[i];
        const qz_gguf_kv *other = source && named_by_source(p, kv->key) ? qz_gguf_key(source, kv->key) : NULL;
        const qz_gguf_edit *v = edit_of(e, kv->key);
        qz_gguf_put_kv(out, v ? &v->value : other ? other : kv);
    }
    for (size_t i = 0; source && i < source->n_kv; i++) {
        const qz_gguf_kv *kv = &source->kv[i];
        if (of_the_file(kv->key) || qz_gguf_key(ours, kv->key) || edit_of(e, kv->key)) continue;
        qz_gguf_put_kv(out, kv);
        p->n_carried++;
    }
    for (size_t i = 0; i < e->n; i++)
        if (!qz_gguf_key(ours, e->v[i].key)) qz_gguf_put_kv(out, &e->v[i].value);
}

static qz_status read_overrides(const qz_scheme_spec *spec, qz_gguf_edits *e, qz_error *err) {
    for (size_t i = 0; i < spec->n_overrides; i++)
        QZ_TRY(qz_gguf_edit_parse(e, NULL, spec->overrides[i], QZ_GGUF_OVERRIDE, err));
    return QZ_OK;
}

static bool alike(qz_gguf_kind a, qz_gguf_kind b) {
    const bool whole = a < QZ_GGUF_F32 || a == QZ_GGUF_U64 || a == QZ_GGUF_I64,
               other = b < QZ_GGUF_F32 || b == QZ_GGUF_U64 || b == QZ_GGUF_I64;
    return a == b || (whole && other);
}
/* What readers expect, ours too: the kind that the key has here, or that its row names. */
static qz_status check_kinds(const qz_gguf *ours, const qz_gguf_edits *e, const char *arch, qz_error *err) {
    for (size_t i = 0; i < e->n; i++) {
        const qz_gguf_kv *now = qz_gguf_key(ours, e->v[i].key);
        const qz_gguf_kind found = e->v[i].value.kind;
        qz_gguf_kind want = found;
        if (now) want = now->kind;
        else if (!qz_gguf_key_kind(e->v[i].key, arch, &want)) continue;
        if (alike(want, found)) continue;
        return qz_fail(err, QZ_EUSAGE,
                       "wrong type of key '%s' for --override-kv: expected %s, found %s; llama.cpp and this program "
                       "refuse the file with it",
                       e->v[i].key, qz_gguf_kind_name(want), qz_gguf_kind_name(found));
    }
    return QZ_OK;
}

qz_status qz_gguf_meta_carry(qz_artifact_plan *p, qz_arena *arena, qz_gguf_meta *meta, qz_error *err) {
    const qz_gguf *source = qz_gguf_of(p->model);
    qz_gguf ours = {0};
    qz_gguf_edits e = {0};
    qz_gguf_meta out = {0};
    if (!source && p->spec.n_overrides == 0) return QZ_OK;
    p->n_carried = 0;
    qz_status st = as_file(meta, arena, &ours, err);
    if (st == QZ_OK) st = read_overrides(&p->spec, &e, err);
    if (st == QZ_OK) st = check_kinds(&ours, &e, qz_family_get(p->model->config.family)->gguf_arch, err);
    if (st == QZ_OK) {
        carry(p, &ours, source, &e, &out);
        if (out.bytes.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    }
    if (st == QZ_OK) {
        qz_gguf_meta was = *meta;
        *meta = out;
        out = was;
    }
    qz_gguf_meta_release(&out);
    qz_gguf_edits_release(&e);
    qz_gguf_release(&ours);
    return st;
}
