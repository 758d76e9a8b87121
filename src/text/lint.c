#include "text/lint.h"
#include <string.h>
#include "base/io.h"
#include "base/size.h"
#include "text/lint_int.h"

#define MAX_FINDINGS 16
#define LEAST_SAMPLES 32
#define LEAST_TOKENS 2048
#define LENGTH_FACTOR 2.0
#define FAR 0.15       /* bits; splits of one source stay below, another language or domain is above (lint_test.c) */
#define FAR_CHANCE 1.5 /* and this many times what two halves of the data differ by */

const char *qz_lint_severity_name(qz_lint_severity s) {
    return s == QZ_LINT_REFUSE ? "refuse" : s == QZ_LINT_WARN ? "warn" : "note";
}

static const struct { const char *code, *about; } codes[] = {
#define QZ_LINT_CODE(code, about) {code, about},
#include "text/lint_codes.def"
#undef QZ_LINT_CODE
};
enum { N_CODES = sizeof codes / sizeof codes[0] };
const char *qz_lint_code_at(size_t i) { return i < N_CODES ? codes[i].code : NULL; }
const char *qz_lint_code_about(size_t i) { return i < N_CODES ? codes[i].about : NULL; }

static void add(qz_lint *l, const char *code, qz_lint_severity s, const char *text) {
    if (text && l->n < MAX_FINDINGS) l->findings[l->n++] = (qz_lint_finding){code, text, s, text + strlen(code) + 1};
}
/* The last finding, if it is `code`, is told in other words. */
static void tell(qz_lint *l, const char *code, const char *told) {
    if (told && l->n && strcmp(l->findings[l->n - 1].code, code) == 0) l->findings[l->n - 1].told = told;
}

static const char *shares(qz_arena *a, const qz_data_facts *f) {
    return qz_arena_printf(a, "en %.0f %%, fr %.0f %%, de %.0f %%, other %.0f %%; latin script %.0f %%",
                           100 * f->english, 100 * f->french, 100 * f->german, 100 * f->other_language, 100 * f->latin);
}

static void judge_alone(qz_lint *l, const qz_dataset *d, size_t largest_in) {
    const qz_data_facts *f = &l->data;
    qz_arena *a = &l->arena;
    if (f->samples > 1 && (double)f->unique < 0.9 * (double)f->samples)
        add(l, "CAL-DUP", QZ_LINT_REFUSE, qz_arena_printf(a, "CAL-DUP %zu unique of %zu", f->unique, f->samples));
    tell(l, "CAL-DUP", qz_arena_printf(a, "%zu of %zu samples equal", f->samples - f->unique, f->samples));
    if (largest_in && f->distinct_rows < largest_in)
        add(l, "CAL-RANK", QZ_LINT_REFUSE,
            qz_arena_printf(a, "CAL-RANK %zu distinct rows < %zu columns", f->distinct_rows, largest_in));
    bool few = d->kind != QZ_DATA_TEXT_FILE && f->samples < LEAST_SAMPLES;
    if (few || f->tokens < LEAST_TOKENS)
        add(l, "CAL-COUNT", QZ_LINT_WARN,
            qz_arena_printf(a, "CAL-COUNT %zu sample%s, %zu token%s: 128 samples or more are usual, at least %d tokens",
                            f->samples, qz_plural(f->samples), f->tokens, qz_plural(f->tokens), LEAST_TOKENS));
    if (d->parts.left_out)
        add(l, "CAL-PARTS", QZ_LINT_WARN,
            qz_arena_printf(a, "CAL-PARTS %zu parts of messages are no text and left out: %s", d->parts.left_out,
                            d->parts.names));
    if (d->parts.joined)
        add(l, "CAL-PARTS", QZ_LINT_NOTE,
            qz_arena_printf(a, "CAL-PARTS %zu lists of parts joined to texts", d->parts.joined));
    const char *s = shares(a, f);
    if (s) add(l, "CAL-LANG", QZ_LINT_NOTE, qz_arena_printf(a, "CAL-LANG %s", s));
}

static void add_leak(qz_lint *l, const qz_leak *x, const char *units, const char *kind, const char *path) {
    qz_arena *a = &l->arena;
    if (x->n == 0) return;
    add(l, "CAL-LEAK", QZ_LINT_WARN,
        qz_arena_printf(a, "CAL-LEAK %zu of %zu %s also in the %s file '%s', first line %zu (there line %zu)",
                        x->n, x->of, units, kind, path, x->line, x->other_line));
    tell(l, "CAL-LEAK", /* names travel, folders do not */
         qz_arena_printf(a, "%zu of %zu %s also in the %s file '%s', first line %zu (there line %zu)",
                         x->n, x->of, units, kind, qz_path_base(path), x->line, x->other_line));
}

static qz_status find_leaks(qz_lint *l, const qz_dataset *d, const qz_dataset *eval, const qz_taskset *tasks,
                            qz_error *err) {
    if (eval) QZ_TRY(qz_data_overlap(d, eval, &l->leaks_eval, err));
    return tasks ? qz_task_overlap(d, tasks, &l->leaks_tasks, err) : QZ_OK;
}
static void judge_leaks(qz_lint *l, const qz_dataset *d, const qz_dataset *eval, const qz_taskset *tasks) {
    const char *units = d->kind == QZ_DATA_TEXT_FILE ? "paragraphs" : "samples";
    if (eval) add_leak(l, &l->leaks_eval, units, "evaluation", eval->path);
    if (tasks) add_leak(l, &l->leaks_tasks, "samples", "task", tasks->path);
}

static void judge_against(qz_lint *l, const qz_dataset *d, const qz_lint_options *o) {
    const qz_data_facts *f = &l->data, *g = &l->other;
    qz_arena *a = &l->arena;
    double ratio = f->median > 0 && g->median > 0 ? f->median / g->median : 1;
    bool lengths = o->traffic && d->kind != QZ_DATA_TEXT_FILE && o->traffic->kind != QZ_DATA_TEXT_FILE;
    if (lengths && (ratio > LENGTH_FACTOR || ratio < 1 / LENGTH_FACTOR))
        add(l, "CAL-LEN", QZ_LINT_WARN,
            qz_arena_printf(a, "CAL-LEN real prompts median %.0f, calibration median %.0f tokens", g->median,
                            f->median));
    if (l->divergence > FAR &&
        l->divergence >
            FAR_CHANCE * (f->self_divergence > g->self_divergence ? f->self_divergence : g->self_divergence)) {
        const char *s = shares(a, f), *t = shares(a, g);
        if (s && t)
            add(l, "CAL-DOMAIN", QZ_LINT_WARN,
                qz_arena_printf(a,
                                "CAL-DOMAIN token distributions differ by %.2f bit (Jensen-Shannon, 0 to 1): "
                                "calibration (%s), %s "
                                "(%s)",
                                l->divergence, s, o->traffic ? "traffic" : "evaluation", t));
    }
    judge_leaks(l, d, o->eval, o->tasks);
}

static qz_status run(const qz_tokenizer *t, const qz_dataset *d, const qz_lint_options *o, qz_lint *l, qz_error *err) {
    uint64_t *mine = NULL, *theirs = NULL;
    size_t n_mine = 0, n_theirs = 0;
    qz_status st = QZ_OK;
    const qz_dataset *other = o->traffic ? o->traffic : o->eval;
    l->findings = qz_arena_alloc(&l->arena, MAX_FINDINGS, sizeof *l->findings);
    if (!l->findings) return qz_fail(err, QZ_EMEMORY, "out of memory while judging '%s'", d->path);
    QZ_GOTO(qz_data_measure(t, d, &l->data, &mine, &n_mine, err));
    if (other) {
        QZ_GOTO(qz_data_measure(t, other, &l->other, &theirs, &n_theirs, err));
        l->divergence = qz_jensen_shannon(mine, n_mine, theirs, n_theirs);
    }
    QZ_GOTO(find_leaks(l, d, o->eval, o->tasks, err));
    judge_alone(l, d, o->largest_in);
    judge_against(l, d, o);
out:
    qz_free(mine);
    qz_free(theirs);
    return st;
}

qz_status qz_lint_run(const qz_tokenizer *t, const qz_dataset *data, const qz_lint_options *o, qz_lint *out,
                      qz_error *err) {
    static const qz_lint_options none;
    *out = (qz_lint){.divergence = -1};
    qz_status st = run(t, data, o ? o : &none, out, err);
    if (st != QZ_OK) qz_lint_release(out);
    return st;
}

qz_status qz_lint_leaks(const qz_dataset *data, const qz_dataset *eval, const qz_taskset *tasks, qz_lint *out,
                        qz_error *err) {
    *out = (qz_lint){.divergence = -1};
    out->findings = qz_arena_alloc(&out->arena, MAX_FINDINGS, sizeof *out->findings);
    qz_status st = out->findings ? find_leaks(out, data, eval, tasks, err)
                                 : qz_fail(err, QZ_EMEMORY, "out of memory while judging '%s'", data->path);
    if (st == QZ_OK) judge_leaks(out, data, eval, tasks);
    else qz_lint_release(out);
    return st;
}

void qz_lint_release(qz_lint *l) {
    qz_arena_release(&l->arena);
    *l = (qz_lint){0};
}
