#include "pipeline/trials.h"
#include "base/io.h"
#include "base/json_write.h"
#include "base/size.h"
#include "base/table.h"
#include "pipeline/evaluate.h"
#include "pipeline/results.h"
#include "report/table_print.h"
#include <stdlib.h>
#include <string.h>

enum { MOST = 16 };

/* One artifact that is made and measured; the first of a method is what the others are compared with. */
typedef struct {
    const char *data, *to;
    uint64_t samples;
    char *path;            /* owned */
    qz_figure kl, change;
    bool knee;
} trial;
typedef struct {
    qz_run *run;
    const qz_request *r;
    qz_scratch scratch;
    trial at[MOST];
    size_t n;
    bool sweep;
} trials;

static int larger_first(const void *x, const void *y) {
    const uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a > b ? -1 : a < b;
}

/* "32,64,128": each once, the largest first. */
static qz_status sizes_of(trials *t, qz_error *err) {
    uint64_t size[MOST];
    const char *p = t->r->sweep;
    while (t->n < MOST) {
        char *end;
        const unsigned long long n = strtoull(p, &end, 10);
        if (end == p || n == 0 || n > 1000000 || (*end && *end != ',') || *p == '-') break;
        size[t->n++] = n;
        if (*end == 0) {
            qsort(size, t->n, sizeof *size, larger_first);
            for (size_t i = 0; i < t->n; i++) {
                if (i && size[i] == size[i - 1]) break;
                t->at[i] = (trial){.data = t->r->data, .to = t->r->scheme, .samples = size[i]};
                if (i + 1 == t->n && t->n > 1) return QZ_OK;
            }
            break;
        }
        p = end + 1;
    }
    return qz_fail(err, QZ_EUSAGE,
                   "--sweep: expected 2 to %d different counts of windows such as 32,64,128, found '%s'", MOST,
                   t->r->sweep);
}

static void two_by_two(trials *t) {
    const char *const methods[] = {"awq", "gptq"};
    for (size_t m = 0; m < 2; m++) {
        if (t->r->scheme && m) break;
        for (int b = 0; b < 2; b++)
            t->at[t->n++] = (trial){.data = b ? t->r->compare_data : t->r->data,
                                    .to = t->r->scheme ? t->r->scheme : methods[m], .samples = t->r->samples};
    }
}

static qz_status make(trials *t, trial *x, size_t i, qz_error *err) {
    char name[32], scheme[80];
    qz_produced p;
    (void)snprintf(name, sizeof name, "trial-%zu", i);
    if ((x->path = qz_path_join(t->scratch.path, name)) == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_request again = *t->r;
    again.to = x->to;
    again.data = x->data;
    again.samples = x->samples;
    again.output = x->path;
    again.text = NULL;
    again.effort = "default";
    qz_info(t->run, "%zu of %zu: %s from %llu windows of '%s'", i + 1, t->n, x->to, (unsigned long long)x->samples,
            x->data);
    const qz_status st = qz_quantize(t->run, &again, &p, scheme, err);
    qz_produced_release(&p);
    return st;
}

/* Artifacts first to first + n - 1, on the same tokens. */
static qz_status measure(trials *t, size_t first, size_t n, qz_error *err) {
    const char *paths[MOST];
    qz_measured *m = qz_calloc_array(n + 1, sizeof *m);
    qz_eval_facts facts = {0};
    size_t got = 0;
    if (m == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) paths[i] = t->at[first + i].path;
    qz_request of = *t->r;
    of.arith = "exact";
    of.tasks = NULL;
    of.adapters.n = 0;
    const qz_status st = qz_evaluate(t->run, &of, &(qz_compared){t->r->operands[0], paths, n}, m, &got, &facts, err);
    for (size_t i = 0; st == QZ_OK && i < n; i++)
        t->at[first + i].kl = m[i + 1].score.kl, t->at[first + i].change = m[i + 1].score.kl_change;
    for (size_t i = 0; i < got; i++) qz_measured_release(&m[i]);
    qz_str_release(&facts.task_log);
    qz_free(m);
    return st;
}

/* The fewest windows that are not measurably worse than the most. */
static void find_knee(trials *t) {
    size_t knee = 0;
    for (size_t i = 1; i < t->n && !(t->at[i].change.low > 0); i++) knee = i;
    t->at[knee].knee = true;
}

static qz_status work(trials *t, qz_error *err) {
    for (size_t i = 0; i < t->n; i++) QZ_TRY(make(t, &t->at[i], i, err));
    if (t->sweep) QZ_TRY(measure(t, 0, t->n, err));
    else
        for (size_t i = 0; i < t->n; i += 2) QZ_TRY(measure(t, i, 2, err));
    if (t->sweep) find_knee(t);
    return QZ_OK;
}

/* ---- what is shown ---- */
static qz_status table_of(const trials *t, qz_arena *a, qz_table *out, qz_error *err) {
    static const qz_column cols[] = {{"Data", 'l'}, {"Windows", 'r'}, {"Format", 'l'}, {"KL [95 %]", 'l'},
                                     {"Change [95 %]", 'l'}, {"", 'l'}};
    QZ_TRY(qz_table_init(out, a, NULL, cols, sizeof cols / sizeof *cols, err));
    for (size_t k = t->n; k-- > 0;) {
        const trial *x = &t->at[t->sweep ? k : t->n - 1 - k]; /* sizes upwards */
        QZ_TRY(qz_table_row(out, err));
        QZ_TRY(qz_table_set(out, 0, err, "%s", qz_path_base(x->data)));
        QZ_TRY(qz_table_set(out, 1, err, "%llu", (unsigned long long)x->samples));
        QZ_TRY(qz_table_set(out, 2, err, "%s", x->to));
        QZ_TRY(qz_table_set(out, 3, err, "%.4g [%.4g, %.4g]", x->kl.value, x->kl.low, x->kl.high));
        if (x->change.present)
            QZ_TRY(qz_table_set(out, 4, err, "%+.3g [%+.3g, %+.3g]", x->change.value, x->change.low, x->change.high));
        if (x->change.present && t->sweep && !(x->change.low < 0) && !(x->change.high > 0))
            QZ_TRY(qz_table_set(out, 4, err, "none: the data give no more"));
        if (x->knee) QZ_TRY(qz_table_set(out, 5, err, "knee"));
    }
    return QZ_OK;
}

static void json_of(const trials *t, qz_str *s) {
    qz_json_writer w;
    qz_jw_begin(&w, s);
    qz_jw_open(&w, "trials", '[');
    for (size_t i = 0; i < t->n; i++) {
        const trial *x = &t->at[i];
        qz_jw_open(&w, NULL, '{');
        qz_jw_text(&w, "data", x->data);
        qz_jw_count(&w, "windows", x->samples);
        qz_jw_text(&w, "format", x->to);
        qz_jw_real(&w, "kl", x->kl.value);
        qz_jw_real(&w, "kl_low", x->kl.low);
        qz_jw_real(&w, "kl_high", x->kl.high);
        if (x->change.present) {
            qz_jw_real(&w, "change", x->change.value);
            qz_jw_real(&w, "change_low", x->change.low);
            qz_jw_real(&w, "change_high", x->change.high);
        }
        if (x->knee) qz_jw_bool(&w, "knee", true);
        qz_jw_close(&w, '}');
    }
    qz_jw_close(&w, ']');
    qz_jw_end(&w);
}

static qz_status show(const trials *t, qz_error *err) {
    qz_arena a = {0};
    qz_table table = {0};
    qz_str s = {0};
    qz_status st = QZ_OK;
    if (t->r->json) json_of(t, &s);
    else {
        st = table_of(t, &a, &table, err);
        if (st == QZ_OK) st = qz_table_show(&table, false, err);
        qz_str_puts(
            &s, t->sweep
                    ? "Change: against the most windows, on the same tokens. Knee: the fewest windows that are not "
                      "measurably worse\n"
                    : "Change: against the first data set by the same method, on the same tokens\n");
    }
    if (st == QZ_OK) st = t->r->json ? qz_show(&s, err) : qz_show_text(&s, err);
    qz_str_release(&s);
    qz_arena_release(&a);
    return st;
}

qz_status qz_trials_run(qz_run *run, const qz_request *r, qz_error *err) {
    trials t = {.run = run, .r = r, .sweep = r->sweep != NULL};
    qz_error rest = {0};
    if (r->sweep && r->compare_data)
        return qz_fail(err, QZ_EUSAGE, "--sweep and --compare-data are two questions: give one of them");
    if (!r->data || !r->text)
        return qz_fail(err, QZ_EUSAGE, "--%s needs --data FILE to calibrate on and --text FILE to measure the KL on",
                       r->sweep ? "sweep" : "compare-data");
    qz_request sweep = *r;
    if (r->sweep && !r->scheme) sweep.scheme = "gptq";
    t.r = &sweep;
    if (t.sweep) QZ_TRY(sizes_of(&t, err));
    else two_by_two(&t);
    QZ_TRY(qz_scratch_make("trials", &t.scratch, err));
    qz_status st = work(&t, err);
    if (st == QZ_OK) st = show(&t, err);
    for (size_t i = 0; i < t.n; i++) {
        if (t.at[i].path && qz_path_exists(t.at[i].path)) (void)qz_remove_tree(t.at[i].path, &rest);
        qz_free(t.at[i].path);
    }
    const qz_status gone = qz_scratch_remove(&t.scratch, &rest);
    return st == QZ_OK && gone != QZ_OK ? (*err = rest, gone) : st;
}
