/* convert --repair: what is wrong with a folder, mended, and what that changed. */
#include "artifacts/open.h"
#include "base/io.h"
#include "base/json_write.h"
#include "base/size.h"
#include "pipeline/convert_repair.h"
#include "produce/outputs.h"
#include "produce/repair.h"
#include "report/table_print.h"
#include <stdio.h>

enum { ROWS_SAID = 24 }; /* faults in the table; all are in --json and in the manifest */

static void percent(double v, char out[32]) {
    if (v < 0) (void)snprintf(out, 32, "-");
    else (void)snprintf(out, 32, "%.3g %%", 100 * v);
}

static qz_status fault_table(const qz_mending *m, qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {
        {"Fault", 'l'}, {"First", 'l'}, {"Tensors", 'r'}, {"Served", 'r'}, {"Mended", 'r'}};
    QZ_TRY(qz_table_init(t, a, NULL, cols, 5, err));
    for (size_t i = 0; i < m->n_faults && i < ROWS_SAID; i++) {
        const qz_fault *f = &m->faults[i];
        char cost[32], left[32];
        percent(f->cost, cost);
        percent(f->left, left);
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", qz_fault_info_of(f->kind)->code));
        QZ_TRY(qz_table_set(t, 1, err, "%s", f->subject));
        QZ_TRY(qz_table_set(t, 2, err, "%zu", f->n));
        QZ_TRY(qz_table_set(t, 3, err, "%s", cost));
        QZ_TRY(qz_table_set(t, 4, err, "%s", left));
    }
    return QZ_OK;
}

static void faults_json(const qz_mending *m, qz_json_writer *w) {
    qz_jw_open(w, "faults", '[');
    for (size_t i = 0; i < m->n_faults; i++) {
        const qz_fault *f = &m->faults[i];
        qz_jw_row(w);
        qz_jw_text(w, "code", qz_fault_info_of(f->kind)->code);
        qz_jw_text(w, "fault", qz_fault_info_of(f->kind)->word);
        qz_jw_text(w, "subject", f->subject);
        qz_jw_count(w, "tensors", f->n);
        qz_jw_text(w, "problem", f->problem);
        qz_jw_text(w, "mended", f->mend);
        if (f->cost >= 0) qz_jw_real(w, "error_served", f->cost);
        if (f->left >= 0) qz_jw_real(w, "error_mended", f->left);
        qz_jw_close(w, '}');
    }
    qz_jw_close(w, ']');
}

static qz_status show_json(const qz_repair *j, const char *out, qz_error *err) {
    qz_str s = {0};
    qz_json_writer w;
    qz_jw_begin(&w, &s);
    qz_jw_text(&w, "artifact", out);
    faults_json(&j->m, &w);
    qz_jw_count(&w, "exact", j->exact);
    qz_jw_count(&w, "coded_again", j->coded);
    qz_jw_count(&w, "changed", j->changed);
    qz_jw_count(&w, "added", j->added);
    qz_jw_count(&w, "left_out", j->dropped);
    qz_jw_count(&w, "renamed", j->renamed);
    qz_jw_count(&w, "bytes", j->bytes);
    if (j->opens) qz_jw_text(&w, "not_opened", j->opens);
    qz_jw_end(&w);
    qz_status st = qz_show(&s, err);
    qz_str_release(&s);
    return st;
}

/* The first of a kind stands for the others; of names every row is another one. */
static void say_kind(const qz_mending *m, qz_fault_kind kind, qz_str *s) {
    size_t n = 0;
    for (size_t i = 0; i < m->n_faults; i++) {
        const qz_fault *f = &m->faults[i];
        if (f->kind != kind || (n++ && kind != QZ_FAULT_NAMES)) continue;
        qz_str_printf(s, "  %s: %s: %s\n    mended: %s\n", qz_fault_info_of(kind)->code, f->subject, f->problem,
                      *f->mend ? f->mend : "computed from --calib");
    }
    if (n > 1 && kind != QZ_FAULT_NAMES)
        qz_str_printf(s, "    and %zu more sets of %s\n", n - 1, qz_fault_info_of(kind)->title);
}

static qz_status show(const qz_repair *j, const char *out, qz_error *err) {
    qz_arena a = {0};
    qz_table t;
    qz_str s = {0};
    char size[48];
    const qz_mending *m = &j->m;
    if (j->r->json) return show_json(j, out, err);
    qz_status st = fault_table(m, &a, &t, err);
    if (m->n_faults == 0)
        qz_str_printf(&s, "%s: nothing to repair%s\n", m->path,
                      m->method ? "" : ": no FP8 or NVFP4 folder of compressed-tensors, ModelOpt or fp8");
    else if (*out)
        qz_str_printf(&s,
                      "%s\n  %zu fault%s mended, %s; tensors: %zu byte for byte, %zu coded again, %zu with another "
                      "scale, %zu added, %zu left out, %zu renamed\n",
                      out, m->n_faults, qz_plural(m->n_faults), qz_size_text(size, j->bytes), j->exact, j->coded,
                      j->changed, j->added, j->dropped, j->renamed);
    else qz_str_printf(&s, "(dry run)\n  %zu fault%s\n", m->n_faults, qz_plural(m->n_faults));
    if (j->opens) qz_str_printf(&s, "  not opened as a model: %s\n", j->opens);
    for (int k = 0; k < QZ_FAULT_KINDS; k++) say_kind(m, (qz_fault_kind)k, &s);
    if (st == QZ_OK && m->n_faults) qz_table_text(&t, &s);
    if (m->n_faults > ROWS_SAID)
        qz_str_printf(&s, "… %zu more: --json and the manifest have all\n", m->n_faults - ROWS_SAID);
    if (st == QZ_OK) st = qz_show_text(&s, err);
    qz_str_release(&s);
    qz_arena_release(&a);
    return st;
}

static qz_status options(const qz_request *r, qz_error *err) {
    const struct { bool given; const char *option; } others[] = {
        {r->to != NULL, "to"}, {r->lossy, "lossy"}, {r->resume, "resume"}, {r->config_dir != NULL, "config-dir"},
        {r->name != NULL, "name"}, {r->modules.n > 0, "module"}, {r->pre != NULL, "pre"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].given)
            return qz_fail(err, QZ_EUSAGE,
                           "--repair keeps the folder's own scheme and files: expected no --%s; repair first, then "
                           "convert the result",
                           others[i].option);
    if (r->output) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "no output: give -o OUT, the folder that is written, for example -o %s-repaired",
                   qz_path_base(r->operands[0]));
}

/* Without a fault that is known here a folder may still be none that opens, or one whose values are none. */
static qz_status still_sound(qz_repair *j, qz_error *err) {
    qz_error e = {0};
    qz_run looks = *j->run;
    looks.accept = "*"; /* what nothing uses is no fault of the values */
    const qz_status st = qz_artifact_sound(&looks, j->m.path, &e);
    if (st == QZ_OK) return QZ_OK;
    return qz_fail(err, st, "nothing here that --repair mends, and it is not sound: %s", e.text);
}

qz_status qz_run_repair(qz_run *run, const qz_request *r, qz_error *err) {
    qz_repair j = {.run = run, .r = r, .out = r->output};
    qz_outputs outs = {.run = run};
    QZ_TRY(options(r, err));
    qz_status st = qz_outputs_claim(&outs, r, r->output, QZ_OUTPUT_ARTIFACT, err);
    if (st == QZ_OK) st = qz_repair_find(&j, err);
    if (st == QZ_OK) st = j.m.n_faults ? qz_repair_write(&j, err) : still_sound(&j, err);
    if (st == QZ_OK) st = show(&j, j.m.n_faults && !r->dry_run ? r->output : "", err);
    qz_outputs_end(&outs, st);
    qz_repair_release(&j);
    return st;
}
