#include "artifacts/doctor.h"
#include "base/json_write.h"
#include "base/io.h"
#include "base/size.h"
#include "deploy/faults.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"
#include <string.h>

static qz_status table_of(const qz_doctor *d, qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"step", 'l'}, {"result", 'l'}, {"cause", 'l'}};
    QZ_TRY(qz_table_init(t, a, "doctor", cols, 3, err));
    for (size_t i = 0; i < d->n; i++) {
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", d->steps[i].step));
        QZ_TRY(qz_table_set(t, 1, err, "%s", d->steps[i].wrong ? "WRONG" : "ok"));
        QZ_TRY(qz_table_set(t, 2, err, "%s", d->steps[i].text));
    }
    return QZ_OK;
}

/* Scales that servers read beside the weights: input, tensor and cache scales of FP8 and FP4 folders, as 'convert
 * --repair' knows them. A walk through decoded weights does not see them. */
static qz_status add_scales(qz_run *run, const char *path, qz_arena *a, qz_doctor *d, qz_error *err) {
    qz_mending m;
    if (!qz_path_is_dir(path)) return QZ_OK;
    QZ_TRY(qz_faults_find(run, path, false, &m, err));
    qz_doctor_step *steps = qz_arena_calloc(a, d->n + m.n_faults + 1, sizeof *steps);
    size_t n = 0, at = d->n && strcmp(d->steps[0].step, "files") == 0; /* behind the files' hashes */
    qz_status st = steps ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    for (; st == QZ_OK && n < at; n++) steps[n] = d->steps[n];
    for (size_t i = 0; i < m.n_faults && st == QZ_OK; i++) {
        const qz_fault *f = &m.faults[i];
        const char *text = qz_arena_printf(a, "%s: %s ('quantz convert --repair' mends it)", f->subject, f->problem);
        if (text == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
        else steps[n++] = (qz_doctor_step){"scales of servers", true, text};
    }
    if (st == QZ_OK && m.method && m.n_faults == 0)
        steps[n++] = (qz_doctor_step){"scales of servers", false, "of tensors, inputs and cache: nothing to mend"};
    for (; st == QZ_OK && at < d->n; at++) steps[n++] = d->steps[at];
    if (st == QZ_OK) d->steps = steps, d->n = n, d->wrong += m.n_faults;
    qz_mending_release(&m);
    return st;
}

static const qz_doctor_step *first_wrong(const qz_doctor *d) {
    for (size_t i = 0; i < d->n; i++)
        if (d->steps[i].wrong) return &d->steps[i];
    return NULL;
}

static qz_status show_json(const qz_doctor *d, const qz_table *t, qz_error *err) {
    const qz_doctor_step *first = first_wrong(d);
    qz_json_writer w;
    qz_str s = {0};
    qz_jw_begin(&w, &s);
    qz_jw_bool(&w, "healthy", first == NULL);
    qz_jw_count(&w, "wrong", d->wrong);
    if (first) qz_jw_text(&w, "first_wrong", first->step);
    if (first) qz_jw_text(&w, "cause", first->text);
    qz_table_rows(t, &w);
    qz_jw_end(&w);
    const qz_status st = qz_show(&s, err);
    qz_str_release(&s);
    return st;
}

qz_status qz_run_doctor_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_source a = {0}, b = {0};
    qz_arena arena = {0};
    qz_doctor d = {0};
    qz_table t = {0};
    const char *paths[2] = {r->operands[0], r->operands[1]};
    run->accept = "*"; /* what nothing uses is part of the picture, not in its way */
    qz_status st = qz_source_open(run, paths[0], &a, err);
    if (st == QZ_OK) st = qz_source_open(run, paths[1], &b, err);
    if (st == QZ_OK) st = qz_doctor_run(run, &a, &b, paths, &arena, &d, err);
    if (st == QZ_OK) st = add_scales(run, paths[1], &arena, &d, err);
    if (st == QZ_OK && d.exchanged)
        qz_warn(run, "source '%s' is quantized and '%s' is not: is the order SOURCE ARTIFACT?", paths[0], paths[1]);
    if (st == QZ_OK) st = table_of(&d, &arena, &t, err);
    if (st == QZ_OK) st = r->json ? show_json(&d, &t, err) : qz_table_show(&t, false, err);
    const qz_doctor_step *first = first_wrong(&d);
    if (st == QZ_OK && first)
        st = qz_fail(err, QZ_ECHECK, "'%s' is not well: %zu step%s wrong, first %s: %s", paths[1], d.wrong,
                     d.wrong == 1 ? " is" : "s are", first->step, first->text);
    qz_source_release(&a);
    qz_source_release(&b);
    qz_arena_release(&arena);
    return st;
}
