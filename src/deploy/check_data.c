#include "base/io.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/size.h"
#include "deploy/check_job.h"
#include "text/accepted.h"
#include "text/lint.h"
#include "text/text_file.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { REPORT_LIMIT = 64 << 20, NOTE_LIMIT = 1 << 20, MAX_ROWS = 256, MAX_SETS = 8 };

/* The lint's codes under the pitfalls' names: what is wrong with the data itself, and what does not fit the traffic. */
static const char *code_of(const char *lint) {
    static const char *const own[] = {"CAL-DUP", "CAL-RANK", "CAL-COUNT"};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(own[i], lint) == 0) return "CHK-CAL";
    return "CHK-DOMAIN";
}

/* C-05: how long the samples are, and what windows of 512 tokens keep of them under each policy. */
static qz_status lengths(qz_check_job *j, const char *path, const qz_dataset *d, const qz_data_facts *f,
                         qz_error *err) {
    static const struct {
        qz_length_policy policy;
        const char *name;
    } policies[] = {{QZ_PACK, "pack"}, {QZ_TRUNCATE, "truncate"}, {QZ_DROP, "drop"}};
    char text[600];
    size_t n = (size_t)snprintf(text, sizeof text, "%zu sample%s, %zu token%s; tokens a sample:", f->samples,
                                qz_plural(f->samples), f->tokens, qz_plural(f->tokens));
    const char *comma = "";
    for (size_t k = 0; k < sizeof f->histogram / sizeof f->histogram[0]; k++) {
        if (f->histogram[k] == 0) continue;
        if (n < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s %zu to %zu: %zu", comma, (size_t)1 << k,
                                  ((size_t)2 << k) - 1, f->histogram[k]);
        comma = ",";
    }
    for (size_t k = 0; k < sizeof policies / sizeof policies[0]; k++) {
        qz_windows w;
        qz_error none = {0};
        qz_status st = qz_windows_build(j->tokenizer, d, &(qz_window_options){512, 0, policies[k].policy, false}, &w,
                                        &none);
        if (st == QZ_EMEMORY) return qz_fail(err, st, "%s", none.text);
        if (st != QZ_OK && n < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, "; %s: nothing is left", policies[k].name);
        if (st == QZ_OK && n < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n,
                                  "; %s: %zu window%s of %zu, %zu samples truncated, %zu dropped, %zu tokens cut",
                                  policies[k].name, w.n_windows, w.n_windows == 1 ? "" : "s", w.seq_len,
                                  w.samples_truncated, w.samples_dropped, w.tokens_cut);
        if (st == QZ_OK) qz_windows_release(&w);
    }
    qz_check_add(&j->f, "CHK-LENGTHS", path, "%s", text);
    return QZ_OK;
}

typedef struct { qz_dataset traffic, eval; qz_taskset tasks; } others;

static qz_status lint_set(qz_check_job *j, const char *path, const others *o, qz_lint *lint, qz_error *err) {
    qz_dataset data = {0};
    const qz_check_options *r = &j->o;
    const qz_lint_options opt = {.traffic = r->traffic ? &o->traffic : NULL, .eval = r->text ? &o->eval : NULL,
                                 .tasks = r->tasks ? &o->tasks : NULL,
                                 .largest_in = j->shape ? qz_shape_max_cols(j->shape) : j->foreign_cols};
    QZ_TRY(qz_dataset_load(path, j->tokenizer, &(qz_dataset_options){0}, &data, err));
    qz_status st = qz_lint_run(j->tokenizer, &data, &opt, lint, err);
    if (st == QZ_OK) st = lengths(j, path, &data, &lint->data, err);
    qz_dataset_release(&data);
    return st;
}

/* Several sets: each is judged by itself; against the traffic only the closest one counts, the others
 * are told (C-08). */
static qz_status lint_sets(qz_check_job *j, char **paths, size_t n, const others *o, qz_error *err) {
    qz_lint *lint = qz_calloc_array(n, sizeof *lint);
    qz_str scores = {0};
    size_t best = 0, done = 0;
    qz_status st = lint ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    while (st == QZ_OK && done < n) {
        st = lint_set(j, paths[done], o, &lint[done], err);
        if (st == QZ_OK) done++;
    }
    for (size_t i = 1; i < done; i++)
        if (lint[i].divergence < lint[best].divergence) best = i;
    for (size_t i = 0; st == QZ_OK && i < n; i++) {
        for (size_t k = 0; k < lint[i].n; k++) {
            const qz_lint_finding *x = &lint[i].findings[k];
            bool data = strcmp(code_of(x->code), "CHK-CAL") == 0 || strcmp(x->code, "CAL-LEAK") == 0;
            if (x->severity != QZ_LINT_NOTE && (data || i == best))
                qz_check_add(&j->f, code_of(x->code), paths[i], "%s", x->text);
        }
        qz_str_printf(&scores, "%s%s %.2f bit", i ? ", " : "", qz_path_base(paths[i]), lint[i].divergence);
    }
    if (st == QZ_OK && n > 1 && lint[best].divergence >= 0 && scores.ptr)
        qz_check_add(&j->f, "CHK-CLOSEST", paths[best],
                     "scored closest to the %s of %zu sets (Jensen-Shannon, 0 is equal): %s",
                     j->o.traffic ? "traffic" : "evaluation text", n, scores.ptr);
    for (size_t i = 0; i < done; i++) qz_lint_release(&lint[i]);
    qz_free(lint);
    qz_str_release(&scores);
    return st;
}

static qz_status lint_data(qz_check_job *j, qz_error *err) {
    const qz_check_options *r = &j->o;
    others o = {0};
    char *paths[MAX_SETS];
    const char *list = r->data;
    size_t n = 0;
    if (r->data == NULL && r->traffic)
        return qz_fail(err, QZ_EUSAGE, "--traffic is compared with the calibration data: give --calib FILE");
    if (r->data == NULL) return QZ_OK;
    if (j->tokenizer == NULL)
        return qz_fail(err, QZ_EUSAGE,
                       "calibration data are counted in tokens: '%s' has no tokenizer; give the model's folder",
                       j->path);
    qz_piece whole = {list, strlen(list)}; /* a name may hold commas */
    for (bool one = qz_path_exists(list); one || qz_list_next(&list, &whole); one = false) {
        if (whole.n == 0) continue;
        if (n == MAX_SETS) return qz_fail(err, QZ_EUSAGE, "--calib compares at most %d files, found more", MAX_SETS);
        if ((paths[n++] = qz_arena_strndup(&j->arena, whole.at, whole.n)) == NULL)
            return qz_fail(err, QZ_EMEMORY, "out of memory");
        if (one) break;
    }
    if (n == 0) return qz_fail(err, QZ_EUSAGE, "--calib: expected a file, or several with commas, found '%s'", r->data);
    qz_status st = QZ_OK;
    if (r->traffic)
        st = qz_dataset_load(r->traffic, j->tokenizer, &(qz_dataset_options){.without_output = true}, &o.traffic, err);
    if (st == QZ_OK && r->text) st = qz_dataset_load(r->text, j->tokenizer, &(qz_dataset_options){0}, &o.eval, err);
    if (st == QZ_OK && r->tasks) st = qz_taskset_load(r->tasks, j->tokenizer, 0, &o.tasks, err);
    if (st == QZ_OK) st = lint_sets(j, paths, n, &o, err);
    qz_taskset_release(&o.tasks);
    qz_dataset_release(&o.eval);
    qz_dataset_release(&o.traffic);
    return st;
}

/* Figures of a row that are read: nothing else than these is judged. */
typedef struct { const char *key; double least, most; } figure_range;
static const figure_range ranges[] = {
    {"bytes", 0, 1e18}, {"gen_tps", 0, 1e9}, {"bandwidth_gbs", 0, 1e9}, {"dppl_pct", -100, 1e12}, {"ppl", 1, 1e300},
    {"tasks_solved", 0, 1e9}, {"tasks", 0, 1e9}, {"kl", 0, 1e9},
};

/* What a key says in row n of a report: absent or null is not known, nonsense is refused by its name. A spread
 * counts by its median. */
static qz_status figure(const qz_check_job *j, const json_t *o, size_t n, const figure_range *r, qz_error *err) {
    const json_t *v = json_object_get(o, r->key);
    if (json_is_object(v)) v = json_object_get(v, "median");
    if (v == NULL || json_is_null(v)) return QZ_OK;
    if (!json_is_number(v))
        return qz_fail(err, QZ_EFORMAT, "bad report: file '%s', rows[%zu], key '%s': expected a number, found %s",
                       j->o.report, n, r->key, qz_json_kind(v));
    const double x = json_number_value(v);
    if (isfinite(x) && x >= r->least && x <= r->most) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT, "bad report: file '%s', rows[%zu], key '%s': expected %.15g or more, found %.15g",
                   j->o.report, n, r->key, r->least, x);
}
static double known(const json_t *o, const char *key, double missing) {
    const json_t *v = json_object_get(o, key);
    if (json_is_object(v)) v = json_object_get(v, "median");
    return json_is_number(v) ? json_number_value(v) : missing;
}

static qz_status read_row(const qz_check_job *j, const json_t *o, size_t n, qz_check_row *row, qz_error *err) {
    const char *name = NULL, *container = NULL, *kernel = "";
    if (!json_is_object(o))
        return qz_fail(err, QZ_EFORMAT, "bad report: file '%s', rows[%zu]: expected an object, found %s",
                       j->o.report, n, qz_json_kind(o));
    QZ_TRY(qz_json_str(o, "artifact", j->o.report, &name, err));
    QZ_TRY(qz_json_str(o, "container", j->o.report, &container, err));
    QZ_TRY(qz_json_str(o, "kernel", j->o.report, &kernel, err));
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) QZ_TRY(figure(j, o, n, &ranges[i], err));
    const double solved = known(o, "tasks_solved", -1), all = known(o, "tasks", -1);
    if (solved > all)
        return qz_fail(err, QZ_EFORMAT, "bad report: file '%s', rows[%zu]: %.15g tasks solved of %.15g", j->o.report, n,
                       solved, all < 0 ? 0 : all);
    *row = (qz_check_row){.name = name ? qz_path_base(name) : "?", .bytes = known(o, "bytes", -1),
                          .gen_tps = known(o, "gen_tps", -1), .bandwidth = known(o, "bandwidth_gbs", -1),
                          .delta_ppl = known(o, "dppl_pct", NAN), .ppl = known(o, "ppl", -1), .kernel = kernel,
                          .tasks_pct = solved >= 0 && all > 0 ? 100 * solved / all : -1};
    row->source = container && strcmp(container, "safetensors") == 0;
    return QZ_OK;
}

static qz_status read_rows(const qz_check_job *j, const json_t *root, qz_check_row *rows, size_t *n, qz_error *err) {
    const json_t *list = json_object_get(root, "rows"), *schema = json_object_get(root, "schema");
    if (schema && json_integer_value(schema) != QZ_JSON_SCHEMA) {
        char found[32];
        (void)snprintf(found, sizeof found, "%lld", (long long)json_integer_value(schema));
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "bad report: file '%s', key 'schema': expected %d, found %s; write it with this version",
                       j->o.report, QZ_JSON_SCHEMA, json_is_integer(schema) ? found : qz_json_kind(schema));
    }
    if (!json_is_array(list))
        return qz_fail(err, QZ_EFORMAT,
                       "not a report: file '%s': expected a list 'rows' (report.json of 'quantz release', or 'quantz "
                       "eval --json')",
                       j->o.report);
    if (json_array_size(list) > MAX_ROWS)
        return qz_fail(err, QZ_EFORMAT, "bad report: file '%s', key 'rows': expected at most %d, found %zu",
                       j->o.report, MAX_ROWS, json_array_size(list));
    for (*n = 0; *n < json_array_size(list); ++*n)
        QZ_TRY(read_row(j, json_array_get(list, *n), *n, &rows[*n], err));
    return QZ_OK;
}

/* What release let pass in the calibration data of its artifacts. */
static void report_accepted(qz_check_job *j, const json_t *root) {
    const json_t *list = json_object_get(root, QZ_ACCEPTED_KEY);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *code = json_string_value(json_object_get(json_array_get(list, i), "code")),
                   *finding = json_string_value(json_object_get(json_array_get(list, i), "finding"));
        qz_check_add(&j->f, "CHK-ACCEPTED", qz_path_base(j->o.report), "accepted with %.40s: %.200s",
                     code ? code : "a code that is not said", finding ? finding : "no finding is said");
    }
}

/* report.json of release, or eval --json: rows of the source and the artifacts. */
static qz_status read_report(qz_check_job *j, qz_error *err) {
    json_t *root = NULL;
    qz_check_row rows[MAX_ROWS];
    size_t n = 0;
    if (j->o.report == NULL) return QZ_OK;
    QZ_TRY(qz_json_load(j->o.report, REPORT_LIMIT, &root, err));
    qz_status st = read_rows(j, root, rows, &n, err);
    if (st == QZ_OK)
        qz_check_report(rows, n, json_string_value(json_object_get(root, "source_sha256")),
                        json_string_value(json_object_get(json_object_get(j->manifest, "provenance"), "source_sha256")),
                        qz_path_base(j->o.report), &j->f);
    if (st == QZ_OK) report_accepted(j, root);
    json_decref(root);
    return st;
}

static qz_status read_note(qz_check_job *j, qz_error *err) {
    char *text = NULL;
    size_t n = 0;
    if (j->o.note == NULL) return QZ_OK;
    QZ_TRY(qz_text_read(j->o.note, NOTE_LIMIT, &text, &n, NULL, err));
    qz_check_note(text, n, qz_path_base(j->o.note), &j->f);
    qz_free(text);
    return QZ_OK;
}

qz_status qz_check_data(qz_check_job *j, qz_error *err) {
    QZ_TRY(lint_data(j, err));
    QZ_TRY(read_report(j, err));
    return read_note(j, err);
}
