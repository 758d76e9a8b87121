#include "base/io.h"
#include "base/size.h"
#include "pipeline/calib_data.h"
#include "pipeline/check.h"
#include "text/lint.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { REPORT_LIMIT = 64 << 20, NOTE_LIMIT = 1 << 20, MAX_ROWS = 256 };

/* The lint's codes under the pitfalls' names: what is wrong with the data itself, and what does not fit the traffic. */
static const char *code_of(const char *lint) {
    static const char *const own[] = {"CAL-DUP", "CAL-RANK", "CAL-COUNT"};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(own[i], lint) == 0) return "CHK-CAL";
    return "CHK-DOMAIN";
}

static qz_status lint_data(qz_check_job *j, qz_error *err) {
    const qz_request *r = j->r;
    qz_dataset data = {0}, traffic = {0}, eval = {0};
    qz_taskset tasks = {0};
    qz_lint lint = {0};
    if (r->data == NULL && r->traffic) return qz_fail(err, QZ_EUSAGE, "--traffic is compared with the calibration data: give --calib FILE");
    if (r->data == NULL) return QZ_OK;
    if (j->tokenizer == NULL) return qz_fail(err, QZ_EUSAGE, "calibration data are counted in tokens: '%s' has no tokenizer; give the model's folder", j->path);
    qz_status st = qz_dataset_load(r->data, j->tokenizer, &(qz_dataset_options){0}, &data, err);
    if (st == QZ_OK && r->traffic) st = qz_dataset_load(r->traffic, j->tokenizer, &(qz_dataset_options){.without_output = true}, &traffic, err);
    if (st == QZ_OK && r->text) st = qz_dataset_load(r->text, j->tokenizer, &(qz_dataset_options){0}, &eval, err);
    if (st == QZ_OK && r->tasks) st = qz_taskset_load(r->tasks, j->tokenizer, 0, &tasks, err);
    const qz_lint_options o = {.traffic = r->traffic ? &traffic : NULL, .eval = r->text ? &eval : NULL, .tasks = r->tasks ? &tasks : NULL, .largest_in = qz_shape_max_cols(j->shape)};
    if (st == QZ_OK) st = qz_lint_run(j->tokenizer, &data, &o, &lint, err);
    for (size_t i = 0; st == QZ_OK && i < lint.n; i++)
        if (lint.findings[i].severity != QZ_LINT_NOTE) qz_check_add(&j->f, code_of(lint.findings[i].code), r->data, "%s", lint.findings[i].text);
    qz_lint_release(&lint);
    qz_taskset_release(&tasks);
    qz_dataset_release(&eval);
    qz_dataset_release(&traffic);
    qz_dataset_release(&data);
    return st;
}

static double figure(const json_t *o, const char *key, double missing) {
    const json_t *v = json_object_get(o, key);
    if (json_is_object(v)) v = json_object_get(v, "median");
    return json_is_number(v) ? json_number_value(v) : missing;
}

/* report.json of release: rows of the source and the artifacts. */
static qz_status read_report(qz_check_job *j, qz_error *err) {
    json_t *root = NULL;
    qz_check_row rows[MAX_ROWS];
    size_t n = 0;
    if (j->r->report == NULL) return QZ_OK;
    QZ_TRY(qz_json_load(j->r->report, REPORT_LIMIT, &root, err));
    const json_t *list = json_object_get(root, "rows");
    qz_status st = json_is_array(list) ? QZ_OK : qz_fail(err, QZ_EFORMAT, "not a report: file '%s': expected a list 'rows' (report.json of 'quantz release')", j->r->report);
    for (; st == QZ_OK && n < json_array_size(list) && n < MAX_ROWS; n++) {
        const json_t *o = json_array_get(list, n);
        const char *name = json_string_value(json_object_get(o, "artifact")), *container = json_string_value(json_object_get(o, "container"));
        double solved = figure(o, "tasks_solved", -1), all = figure(o, "tasks", -1);
        rows[n] = (qz_check_row){.name = name ? qz_path_base(name) : "?", .bytes = figure(o, "bytes", -1), .gen_tps = figure(o, "gen_tps", -1),
                                 .bandwidth = figure(o, "bandwidth_gbs", -1), .delta_ppl = figure(o, "dppl_pct", NAN), .tasks_pct = solved >= 0 && all > 0 ? 100 * solved / all : -1};
        rows[n].source = container && strcmp(container, "safetensors") == 0;
    }
    if (st == QZ_OK)
        qz_check_report(rows, n, json_string_value(json_object_get(root, "source_sha256")),
                        json_string_value(json_object_get(json_object_get(j->manifest, "provenance"), "source_sha256")), qz_path_base(j->r->report), &j->f);
    json_decref(root);
    return st;
}

static qz_status read_note(qz_check_job *j, qz_error *err) {
    char *text = NULL;
    size_t n = 0;
    if (j->r->note == NULL) return QZ_OK;
    QZ_TRY(qz_read_file(j->r->note, NOTE_LIMIT, &text, &n, err));
    qz_check_note(text, n, qz_path_base(j->r->note), &j->f);
    qz_free(text);
    return QZ_OK;
}

qz_status qz_check_data(qz_check_job *j, qz_error *err) {
    QZ_TRY(lint_data(j, err));
    QZ_TRY(read_report(j, err));
    return read_note(j, err);
}
