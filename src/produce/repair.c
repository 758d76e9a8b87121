#include "produce/repair.h"
#include "artifacts/open.h"
#include "base/io.h"
#include "base/size.h"
#include "produce/rewrite.h"
#include <string.h>

static qz_status no_memory(const char *dir, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", dir);
}

static void count(qz_repair *j, const qz_mended *x) {
    if (!x->t) j->added++;
    else if (x->again) j->coded++;
    else if (x->data) j->changed++;
    else j->exact++;
    j->renamed += x->t && strcmp(x->t->name, x->item.name) != 0;
}

static bool item_of(const void *job, size_t i, const qz_st **file, qz_st_item *out) {
    const qz_mended *x = &((const qz_repair *)job)->m.t[i];
    *file = x->file;
    *out = x->item;
    return !x->out;
}

static qz_status put_one(void *job, size_t i, qz_st_writer *out, qz_arena *scratch, qz_error *err) {
    qz_repair *j = job;
    const uint8_t *bytes;
    uint64_t size = 0;
    QZ_TRY(qz_mended_bytes(j->run, &j->m, i, scratch, &bytes, &size, err));
    count(j, &j->m.t[i]);
    return size ? qz_st_writer_write(out, bytes, (size_t)size, err) : QZ_OK;
}

/* What was mended, beside what the source's own manifest says. */
static qz_status say_mended(void *job, json_t *provenance, qz_error *err) {
    const qz_repair *j = job;
    const qz_mending *m = &j->m;
    json_t *list = json_array();
    qz_status st = list ? QZ_OK : no_memory(j->out, err);
    for (size_t i = 0; i < m->n_faults && st == QZ_OK; i++) {
        const qz_fault *f = &m->faults[i];
        json_t *one = json_pack("{s:s, s:s, s:I, s:s, s:s}", "fault", qz_fault_info_of(f->kind)->word, "subject",
                                f->subject, "tensors", (json_int_t)f->n, "problem", f->problem, "mended", f->mend);
        if (json_array_append_new(list, one) != 0) st = no_memory(j->out, err);
    }
    if (st == QZ_OK && json_object_set(provenance, "repaired", list) != 0) st = no_memory(j->out, err);
    json_decref(list);
    const qz_request *r = j->r;
    if (st == QZ_OK && r->data && (m->n_missing || m->n_cache) &&
        json_object_set_new(provenance, "repair_calibration",
                            json_pack("{s:s, s:I, s:I}", "data", qz_path_base(r->data), "samples",
                                      (json_int_t)r->samples, "seq_len", (json_int_t)r->seq_len)) != 0)
        st = no_memory(j->out, err);
    return st;
}

static qz_status write_folder(qz_repair *j, const char *dir, qz_error *err) {
    qz_mending *m = &j->m;
    const qz_rewrite_json json[] = {{"config.json", m->config_changed ? m->config : NULL},
                                    {"hf_quant_config.json", m->twin_changed ? m->twin : NULL}};
    qz_rewrite w = {.run = j->run, .from = m->path, .dir = &m->dir, .stage = "mending", .n = m->n, .item = item_of,
                    .put = put_one, .job = j, .json = json, .n_json = 2, .keep_manifest = true,
                    .provenance = say_mended};
    j->exact = j->coded = j->changed = j->added = j->dropped = j->renamed = 0;
    qz_status st = qz_rewrite_folder(&w, dir, err);
    for (size_t i = 0; i < m->n; i++) j->dropped += m->t[i].out;
    j->files = w.files;
    j->bytes = w.bytes;
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
