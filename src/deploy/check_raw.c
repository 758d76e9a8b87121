/* check of a GGUF file or a folder whose architecture is none of ours: everything that needs no architecture, and a
 * note of what that leaves out. */
#include "artifacts/gguf_ftypes.h"
#include "artifacts/open.h"
#include "artifacts/raw.h"
#include "base/io.h"
#include "base/size.h"
#include "codecs/types.h"
#include "deploy/check_job.h"
#include <string.h>

static void facts_of(qz_check_job *j, const qz_raw *r) {
    const qz_gguf *g = &r->gguf;
    uint64_t ftype = QZ_FTYPE_COUNT;
    if (qz_gguf_key(g, "general.file_type") &&
        qz_gguf_u64(g, "general.file_type", false, &ftype, &(qz_error){0}) == QZ_OK)
        for (int i = 0; i < QZ_FTYPE_COUNT; i++)
            if ((uint64_t)qz_ftype_get((qz_ftype)i)->file_type == ftype)
                j->facts.level = qz_ftype_get((qz_ftype)i)->name;
    j->facts.imatrix = qz_gguf_key(g, "quantize.imatrix.file") || qz_gguf_key(g, "quantize.imatrix.entries_count");
    j->facts.provenance = j->facts.provenance || qz_gguf_key(g, "general.quantized_by");
    j->facts.params = r->elems;
    j->facts.bits_per_weight = r->elems ? 8.0 * (double)r->tensor_bytes / (double)r->elems : 0;
    j->facts.weight_bytes = r->file_bytes;
    for (size_t i = 0; i < r->n; i++) {
        const uint64_t cols = r->tensors[i].n_dims ? r->tensors[i].dims[r->tensors[i].n_dims - 1] : 0;
        j->foreign_cols = cols > j->foreign_cols ? cols : j->foreign_cols;
    }
}

/* A quantized folder under its settings: these, and the scales and values of its codes. */
static qz_status check_codes(qz_check_job *j, bool *decoded, qz_error *err) {
    qz_model *m = NULL;
    qz_error e = {0};
    qz_status st = j->folder ? qz_artifact_open_codes(j->run, j->path, &m, &e) : QZ_OK;
    if (st == QZ_EMEMORY || st == QZ_EIO) return qz_fail(err, st, "%s", e.text);
    if (st != QZ_OK) qz_check_add(&j->f, "CHK-OPEN", "", "%s", e.text);
    else if (m) st = qz_check_scan(j, m, err);
    *decoded = m != NULL;
    qz_model_free(m);
    return *decoded ? st : QZ_OK;
}

/* Scales of blocks, and finite values. */
static qz_status check_values(qz_check_job *j, const qz_raw *r, qz_error *err) {
    qz_raw_fault fault;
    bool scale = false, codes = false;
    for (size_t i = 0; i < r->n && !scale; i++) {
        const qz_raw_tensor *t = &r->tensors[i];
        if (t->decodes >= QZ_TYPE_COUNT || t->n_dims == 0 || t->data == NULL) continue;
        const size_t cols = (size_t)t->dims[t->n_dims - 1];
        const qz_tensor_view v = {.name = t->name, .type = t->decodes, .rows = cols ? (size_t)t->elems / cols : 0,
                                  .cols = cols, .data = t->data,
                                  .bytes = (size_t)t->bytes};
        scale = qz_check_bad_scale(j, &v);
    }
    QZ_TRY(check_codes(j, &codes, err));
    if (j->o.deep) return QZ_OK; /* qz_artifact_verify has decoded them */
    QZ_TRY(qz_raw_values(r, &fault, err));
    if (fault.what)
        qz_check_add(&j->f, "CHK-NONFINITE", r->tensors[fault.tensor].name, "element %llu is %s",
                     (unsigned long long)fault.element, fault.what);
    else if (fault.read < r->n && !codes)
        qz_check_add(&j->f, "CHK-SCAN", "", "%zu of %zu tensors are of types that are not decoded", r->n - fault.read,
                     r->n);
    return QZ_OK;
}

qz_status qz_check_raw_values(qz_check_job *j, qz_error *err) {
    qz_raw r;
    QZ_TRY(qz_raw_open(j->path, &r, err));
    qz_status st = check_values(j, &r, err);
    qz_raw_release(&r);
    return st;
}

qz_status qz_check_raw(qz_check_job *j, qz_error *err) {
    qz_raw r;
    QZ_TRY(qz_raw_open(j->path, &r, err));
    facts_of(j, &r);
    j->foreign = qz_arena_strdup(&j->arena, r.architecture);
    qz_status st = j->foreign ? check_values(j, &r, err)
                              : qz_fail(err, QZ_EMEMORY, "out of memory checking '%s'", j->path);
    const qz_target *t = &j->target;
    qz_check_add(&j->f, "CHK-ARCH", j->folder ? "model_type" : "general.architecture",
                 "%s; not checked: names and shapes of its tensors, unread keys, KV cache and memory%s%s%s",
                 qz_raw_reason(&r, &j->operand.fault),
                 t->engine == QZ_RUNTIME_NONE ? ", engines" : ", the rules of --engine", t->tp > 1 ? ", --tp" : "",
                 j->has_wanted ? ", --to" : "");
    qz_raw_release(&r);
    return st;
}
