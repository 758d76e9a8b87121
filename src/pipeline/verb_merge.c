/* merge: LoRA adapters into their base. */
#include "base/io.h"
#include "base/json_write.h"
#include "base/size.h"
#include "pipeline/verbs.h"
#include "produce/merge.h"
#include "produce/outputs.h"
#include "report/table_print.h"

static void adapters_json(const qz_merge *m, qz_json_writer *w) {
    qz_jw_open(w, "adapters", '[');
    for (size_t i = 0; i < m->n_adapters; i++) {
        const qz_adapter *a = &m->adapters[i];
        qz_jw_row(w);
        qz_jw_text(w, "path", a->path);
        qz_jw_count(w, "rank", a->rank);
        qz_jw_real(w, "alpha", a->alpha);
        qz_jw_bool(w, "rslora", a->rslora);
        qz_jw_real(w, "weight", a->weight);
        qz_jw_count(w, "targets", a->n);
        qz_jw_count(w, "absent", a->n_absent);
        qz_jw_close(w, '}');
    }
    qz_jw_close(w, ']');
}

static qz_status show_json(const qz_merge *m, const char *out, qz_error *err) {
    qz_str s = {0};
    qz_json_writer w;
    qz_jw_begin(&w, &s);
    qz_jw_text(&w, "artifact", out);
    qz_jw_text(&w, "base", m->r->operands[0]);
    adapters_json(m, &w);
    qz_jw_count(&w, "merged", m->merged);
    qz_jw_count(&w, "replaced", m->replaced);
    qz_jw_count(&w, "added", m->added);
    qz_jw_count(&w, "exact", m->exact);
    qz_jw_count(&w, "values", m->values);
    qz_jw_count(&w, "values_changed", m->values_changed);
    qz_jw_count(&w, "files", m->files);
    qz_jw_count(&w, "bytes", m->bytes);
    if (m->opens) qz_jw_text(&w, "not_opened", m->opens);
    qz_jw_end(&w);
    qz_status st = qz_show(&s, err);
    qz_str_release(&s);
    return st;
}

/* "3 tensors merged, 1 of its own, 12 byte for byte" */
static void counts(const qz_merge *m, qz_str *s) {
    qz_str_printf(s, "  %zu tensor%s merged, %zu replaced, %zu added, %zu byte for byte\n", m->merged,
                  qz_plural(m->merged), m->replaced, m->added, m->exact);
    qz_str_printf(s, "  %llu of their %llu values are others after the rounding\n",
                  (unsigned long long)m->values_changed, (unsigned long long)m->values);
}

static qz_status show(const qz_merge *m, const char *out, qz_error *err) {
    qz_str s = {0};
    char size[48];
    if (m->r->json) return show_json(m, out, err);
    if (*out) qz_str_printf(&s, "%s\n  %zu files, %s\n", out, m->files, qz_size_text(size, m->bytes));
    else qz_str_printf(&s, "(dry run)\n");
    for (size_t i = 0; i < m->n_adapters; i++) {
        const qz_adapter *a = &m->adapters[i];
        qz_str_printf(&s, "  adapter %s: rank %llu, alpha %g%s, weight %g; %zu tensor%s of the base\n", a->path,
                      (unsigned long long)a->rank, a->alpha, a->rslora ? " (rslora)" : "", a->weight, a->n,
                      qz_plural(a->n));
    }
    if (*out) counts(m, &s);
    if (m->opens) qz_str_printf(&s, "  not opened as a model: %s\n", m->opens);
    qz_status st = qz_show_text(&s, err);
    qz_str_release(&s);
    return st;
}

static void warn_absent(qz_run *run, const qz_merge *m) {
    for (size_t i = 0; i < m->n_adapters; i++) {
        const qz_adapter *a = &m->adapters[i];
        if (a->n_absent)
            qz_warn(run, "adapter '%s' holds no tensor for %zu of the modules that its configuration names: the first "
                         "is '%s'", a->path, a->n_absent, a->absent[0]);
    }
}

/* Folders of adapters named with a scale are no operands that the guard of outputs knows. */
static qz_status keep_adapters(const qz_merge *m, const char *out, qz_error *err) {
    for (size_t i = 0; i < m->n_adapters; i++)
        if (qz_path_exists(out) &&
            (qz_path_same(out, m->adapters[i].path) || qz_path_inside(m->adapters[i].path, out)))
            return qz_fail(err, QZ_EUSAGE, "the output is an input: '%s' holds adapter '%s'; give another -o", out,
                           m->adapters[i].path);
    return QZ_OK;
}

qz_status qz_run_merge_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_merge m = {.run = run, .r = r, .out = r->output};
    qz_outputs outs = {.run = run};
    if (r->output == NULL)
        return qz_fail(err, QZ_EUSAGE, "no output: give -o OUT, the folder that is written, for example -o %s-merged",
                       qz_path_base(r->operands[0]));
    qz_status st = qz_outputs_claim(&outs, r, r->output, QZ_OUTPUT_ARTIFACT, err);
    if (st == QZ_OK) st = qz_merge_find(&m, err);
    if (st == QZ_OK) st = keep_adapters(&m, r->output, err);
    if (st == QZ_OK) warn_absent(run, &m);
    if (st == QZ_OK && !r->dry_run) st = qz_merge_write(&m, err);
    if (st == QZ_OK) st = show(&m, r->dry_run ? "" : r->output, err);
    qz_outputs_end(&outs, st);
    qz_merge_release(&m);
    return st;
}
