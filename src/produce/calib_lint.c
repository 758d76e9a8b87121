#include "base/size.h"
#include "produce/calib_data.h"
#include "text/accepted.h"
#include "text/lint.h"
#include <string.h>

typedef struct { qz_dataset traffic, eval; qz_taskset tasks; bool has_traffic, has_eval, has_tasks; } others;

static qz_status open_others(const qz_source *s, const qz_request *r, others *o, qz_error *err) {
    const qz_dataset_options plain = {.raw = r->raw};
    if (r->traffic) {
        QZ_TRY(qz_dataset_load(r->traffic, s->tokenizer, &(qz_dataset_options){.raw = r->raw, .without_output = true},
                               &o->traffic, err));
        o->has_traffic = true;
    }
    if (r->text) {
        QZ_TRY(qz_dataset_load(r->text, s->tokenizer, &plain, &o->eval, err));
        o->has_eval = true;
    }
    if (r->tasks) {
        QZ_TRY(qz_taskset_load(r->tasks, s->tokenizer, 0, &o->tasks, err));
        o->has_tasks = true;
    }
    return QZ_OK;
}

static qz_status findings_table(const qz_lint *l, const qz_request *r, qz_arena *arena, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Code", 'l'}, {"Verdict", 'l'}, {"Finding", 'l'}};
    QZ_TRY(qz_table_init(t, arena, NULL, cols, 3, err));
    for (size_t i = 0; i < l->n; i++) {
        bool accepted = l->findings[i].severity == QZ_LINT_REFUSE && qz_list_has(r->accept, l->findings[i].code);
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", l->findings[i].code));
        QZ_TRY(qz_table_set(t, 1, err, "%s", accepted ? "accepted" : qz_lint_severity_name(l->findings[i].severity)));
        QZ_TRY(qz_table_set(t, 2, err, "%s", l->findings[i].text));
    }
    const qz_data_facts *d = &l->data;
    QZ_TRY(qz_table_row(t, err));
    QZ_TRY(qz_table_set(t, 0, err, "DATA"));
    QZ_TRY(qz_table_set(t, 1, err, "facts"));
    return qz_table_set(t, 2, err,
                        "%zu sample%s, %zu unique, %zu token%s; length median %.0f, 90 %% %.0f, longest %zu; en %.0f "
                        "%%, fr %.0f %%, de %.0f %%, other %.0f %%",
                        d->samples, qz_plural(d->samples), d->unique, d->tokens, qz_plural(d->tokens), d->median,
                        d->p90, d->longest, 100 * d->english, 100 * d->french, 100 * d->german,
                        100 * d->other_language);
}

/* The refusing codes that were not accepted, as one error. */
static qz_status verdict(const qz_lint *l, const qz_dataset *data, const qz_request *r, qz_error *err) {
    qz_str codes = {0}, text = {0};
    for (size_t i = 0; i < l->n; i++) {
        const qz_lint_finding *f = &l->findings[i];
        if (f->severity != QZ_LINT_REFUSE || qz_list_has(r->accept, f->code)) continue;
        qz_str_printf(&codes, "%s%s", codes.len ? "," : "", f->code);
        qz_str_printf(&text, "%s%s", text.len ? "; " : "", f->text);
    }
    qz_status st = QZ_OK;
    if (codes.len)
        st = qz_fail(err, QZ_ECHECK, "calibration data is refused: file '%s': %s; use varied data, or --accept %s",
                     data->path, text.ptr, codes.ptr);
    qz_str_release(&codes);
    qz_str_release(&text);
    return st;
}

/* What --accept let pass: findings that refuse, and leaks. */
static qz_status keep_accepted(const qz_lint *l, qz_dataset *data, const qz_request *r, qz_error *err) {
    qz_str list = {0};
    for (size_t i = 0; i < l->n; i++) {
        const qz_lint_finding *f = &l->findings[i];
        const bool counts = f->severity == QZ_LINT_REFUSE || strcmp(f->code, "CAL-LEAK") == 0;
        if (counts && qz_list_has(r->accept, f->code)) qz_accepted_add(&list, f->code, f->told);
    }
    if (list.len) data->accepted = qz_arena_strdup(&data->arena, list.ptr);
    const bool ok = !list.failed && (list.len == 0) == (data->accepted == NULL);
    qz_str_release(&list);
    return ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory while judging '%s'", data->path);
}

static qz_status refuse_leak(const qz_lint_finding *f, const qz_request *r, qz_error *err) {
    return qz_fail(err, QZ_ECHECK, /* a finding about the data, as CAL-DUP is */
                   "evaluation data leaks into calibration: file '%s': %s; take other data, or --accept CAL-LEAK",
                   r->data, f->text);
}

qz_status qz_calib_leaks(const qz_source *s, const qz_request *r, qz_arena *arena, const char **accepted,
                         qz_error *err) {
    others o = {0};
    qz_dataset data = {0};
    qz_lint l = {0};
    qz_str list = {0};
    qz_request plain = *r;
    *accepted = NULL;
    if (r->data == NULL || (r->text == NULL && r->tasks == NULL)) return QZ_OK;
    plain.traffic = NULL;
    qz_status st = qz_dataset_load(r->data, s->tokenizer, &(qz_dataset_options){.raw = r->raw}, &data, err);
    if (st == QZ_OK) st = open_others(s, &plain, &o, err);
    if (st == QZ_OK) st = qz_lint_leaks(&data, o.has_eval ? &o.eval : NULL, o.has_tasks ? &o.tasks : NULL, &l, err);
    for (size_t i = 0; i < l.n && st == QZ_OK; i++) {
        if (!qz_list_has(r->accept, "CAL-LEAK")) st = refuse_leak(&l.findings[i], r, err);
        else qz_accepted_add(&list, l.findings[i].code, l.findings[i].told);
    }
    if (st == QZ_OK && list.len) *accepted = qz_arena_strdup(arena, list.ptr);
    if (st == QZ_OK && (list.failed || (list.len && *accepted == NULL))) st = qz_fail(err, QZ_EMEMORY,
            "out of memory");
    qz_str_release(&list);
    qz_lint_release(&l);
    qz_dataset_release(&data);
    qz_dataset_release(&o.eval);
    qz_taskset_release(&o.tasks);
    return st;
}

qz_status qz_calib_lint(qz_run *run, const qz_source *s, qz_dataset *data, const qz_request *r, qz_arena *arena,
                        qz_table *table, qz_error *err) {
    others o = {0};
    qz_lint l = {0};
    qz_input_widths w;
    qz_input_widths_of(&s->model->config, &w);
    qz_status st = open_others(s, r, &o, err);
    const qz_lint_options opt = {.traffic = o.has_traffic ? &o.traffic : NULL, .eval = o.has_eval ? &o.eval : NULL,
                                 .tasks = o.has_tasks ? &o.tasks : NULL,
                                 .largest_in = qz_widest_input(&w)};
    if (st == QZ_OK) st = qz_lint_run(s->tokenizer, data, &opt, &l, err);
    if (st == QZ_OK && table) st = findings_table(&l, r, arena, table, err);
    for (size_t i = 0; st == QZ_OK && !table && i < l.n; i++) {
        const qz_lint_finding *f = &l.findings[i];
        if (f->severity == QZ_LINT_NOTE) qz_info(run, "%s", f->text);
        else if (f->severity == QZ_LINT_WARN || qz_list_has(r->accept, f->code)) qz_warn(run, "%s", f->text);
    }
    if (st == QZ_OK) st = verdict(&l, data, r, err);
    if (st == QZ_OK) st = keep_accepted(&l, data, r, err);
    qz_lint_release(&l);
    qz_dataset_release(&o.traffic);
    qz_dataset_release(&o.eval);
    qz_taskset_release(&o.tasks);
    return st;
}
