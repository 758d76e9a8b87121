#include "explain/explain.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "report/fit.h"
#include "report/table_print.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct { const char *name; qz_explain_fn fn; const char *help; } topics[] = {
#define QZ_TOPIC(name, fn, help) {name, fn, help},
#include "explain/topics.def"
#undef QZ_TOPIC
};
enum { N_TOPICS = sizeof topics / sizeof topics[0] };

void qz_explain_say(qz_explained *x, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    qz_fit_vprintf(&x->text, 2, fmt, ap);
    va_end(ap);
}
void qz_explain_line(qz_explained *x, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    qz_str_vprintf(&x->text, fmt, ap);
    va_end(ap);
    qz_str_putc(&x->text, '\n');
}

qz_status qz_explain_table(qz_explained *x, const char *caption, const char *titles) {
    enum { MOST = 12 };
    qz_column cols[MOST];
    size_t n = 0;
    if (x->n == QZ_EXPLAIN_TABLES) return qz_fail(x->err, QZ_EBUG, "too many tables in topic '%s'", x->topic);
    for (const char *p = titles; *p && n < MOST;) {
        size_t k = strcspn(p, "<>");
        char *title = qz_arena_strndup(&x->arena, p, k);
        if (title == NULL) return qz_fail(x->err, QZ_EMEMORY, "out of memory");
        cols[n++] = (qz_column){title, p[k] == '>' ? 'r' : 'l'};
        p += k + (p[k] != 0);
        p += *p == '|';
    }
    return qz_table_init(&x->tables[x->n++], &x->arena, caption, cols, n, x->err);
}

qz_status qz_explain_row(qz_explained *x, const char *fmt, ...) {
    qz_table *t = &x->tables[x->n - 1];
    qz_str line = {0};
    va_list ap;
    va_start(ap, fmt);
    qz_str_vprintf(&line, fmt, ap);
    va_end(ap);
    qz_status st = line.failed ? qz_fail(x->err, QZ_EMEMORY, "out of memory") : qz_table_row(t, x->err);
    const char *p = line.ptr ? line.ptr : "";
    for (size_t c = 0; st == QZ_OK && c < t->n_cols; c++) {
        size_t k = strcspn(p, "|");
        if (k) st = qz_table_set(t, c, x->err, "%.*s", (int)k, p);
        p += k + (p[k] == '|');
    }
    qz_str_release(&line);
    return st;
}

qz_status qz_explain_numbers(qz_explained *x, const char *text, const char *option, double **out, size_t *n) {
    *out = qz_arena_calloc(&x->arena, qz_list_count(text), sizeof **out);
    *n = 0;
    if (*out == NULL) return qz_fail(x->err, QZ_EMEMORY, "out of memory");
    const char *list = text;
    bool bad = *text == 0 || qz_str_ends(text, ",");
    for (qz_piece p; !bad && qz_list_next(&list, &p);) {
        char *end;
        errno = 0;
        const double v = strtod(p.at, &end);
        bad = p.n == 0 || end != p.at + p.n || errno || !isfinite((float)v);
        if (!bad) (*out)[(*n)++] = v;
    }
    return bad ? qz_fail(x->err, QZ_EUSAGE,
                         "bad value '%s' for --%s: expected numbers with commas, for example 0.15,-1.22,2.40", text,
                         option)
               : QZ_OK;
}

static qz_status list_topics(qz_explained *x) {
    qz_explain_line(x, "quantz explain TOPIC      a formula with its worked example");
    qz_explain_line(x, "quantz explain WORD       a glossary word: Q4_K_M, zero point, NF4 …");
    qz_explain_line(x, "quantz explain CODE       an error, finding or rule: E-IO, CHK-SCALE, F-AWQ …");
    qz_explain_line(x, "quantz explain launch ARTIFACT            the lines that load it in each engine");
    qz_explain_line(x, "quantz explain ARTIFACT --tensor T --elem R,C   one weight, from byte to value");
    QZ_TRY(qz_explain_table(x, NULL, "Topic<|What it shows<"));
    for (size_t i = 0; i < N_TOPICS; i++) QZ_TRY(qz_explain_row(x, "%s|%s", topics[i].name, topics[i].help));
    return QZ_OK;
}

static qz_status unknown(qz_explained *x, const char *word) {
    /* a third of the letters may differ: what is farther off is another word */
    qz_near near = {.word = word, .limit = qz_max_size(1, strlen(word) / 3) + 1};
    (void)qz_near_see(&near, qz_explain_nearest(word));
    for (size_t i = 0; i < N_TOPICS; i++) (void)qz_near_see(&near, topics[i].name);
    return qz_fail(x->err, QZ_EUSAGE,
                   "nothing known about '%s'%s%s%s; 'quantz explain' lists the topics, 'quantz explain glossary' the "
                   "words",
                   word, near.best ? ": nearest is '" : "", near.best ? near.best : "", near.best ? "'" : "");
}

qz_status qz_explain(qz_explained *x) {
    const qz_explain_options *r = &x->o;
    bool found = false;
    const bool own = r->n_operands == 1 && (strcasecmp(r->operands[0], "granularity") == 0 ||
                                            strcasecmp(r->operands[0], "levels") == 0);
    if (r->model && !own)
        return qz_fail(x->err, QZ_EUSAGE, "--model is for 'quantz explain granularity' and 'quantz explain levels': "
                                          "expected one of these topics");
    if (r->n_operands == 0) return list_topics(x);
    x->topic = r->operands[0];
    if (strcmp(x->topic, "launch") == 0) {
        if (r->n_operands != 2) return qz_fail(x->err, QZ_EUSAGE, "expected 'quantz explain launch ARTIFACT'");
        return qz_explain_launch(x, r->operands[1]);
    }
    if (r->tensor || r->elem) {
        if (!r->tensor || !r->elem)
            return qz_fail(x->err, QZ_EUSAGE, "one element needs both --tensor NAME and --elem ROW,COLUMN");
        return qz_explain_element(x, x->topic);
    }
    for (size_t i = 0; i < N_TOPICS && r->n_operands == 1; i++)
        if (strcasecmp(topics[i].name, x->topic) == 0) return topics[i].fn(x);
    if (r->n_operands == 1 && qz_explain_code(x, x->topic)) return QZ_OK;
    qz_str word = {0}; /* "explain zero point" without quotes */
    for (size_t i = 0; i < r->n_operands; i++) qz_str_printf(&word, "%s%s", i ? " " : "", r->operands[i]);
    qz_status st = word.failed ? qz_fail(x->err, QZ_EMEMORY, "out of memory") : qz_explain_word(x, word.ptr, &found);
    if (st == QZ_OK && !found && r->n_operands == 1 && qz_path_exists(x->topic))
        st = qz_fail(x->err, QZ_EUSAGE,
                     "what about '%s'? 'quantz explain launch %s' or --tensor NAME --elem ROW,COLUMN", x->topic,
                     x->topic);
    if (st == QZ_OK && !found) st = unknown(x, word.ptr);
    qz_str_release(&word);
    return st;
}

static void print_json(const qz_explained *x, qz_str *out) {
    qz_json_writer w;
    qz_jw_begin(&w, out);
    qz_jw_text(&w, "topic", x->topic);
    qz_jw_text(&w, "text", x->text.ptr ? x->text.ptr : "");
    qz_str_puts(out, x->unread.ptr ? x->unread.ptr : "");
    qz_jw_open(&w, "tables", '[');
    for (size_t i = 0; i < x->n; i++) {
        qz_jw_key(&w, NULL);
        qz_table_json(&x->tables[i], out);
    }
    qz_jw_close(&w, ']');
    qz_jw_end(&w);
}

void qz_explain_print(const qz_explained *x, qz_str *out) {
    if (x->o.json) {
        print_json(x, out);
        return;
    }
    qz_str_puts(out, x->text.ptr ? x->text.ptr : "");
    for (size_t i = 0; i < x->n; i++) {
        if (i || x->text.len) qz_str_putc(out, '\n');
        qz_table_text(&x->tables[i], out);
    }
}
