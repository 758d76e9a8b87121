#include "report/others_print.h"
#include "base/size.h"
#include "report/table_print.h"
#include <string.h>

/* How far a row's own words can be trusted: a hash of the source is proof, a name is a word, nothing is nothing. */
static const char *provenance(const qz_measured *x) {
    if (x->made_from[0]) return "other source";
    if (x->source_named) return "this source";
    return qz_maker_known(&x->maker) ? "said" : "unknown";
}

static int by_size(const void *a, const void *b) {
    const qz_measured *x = *(const qz_measured *const *)a, *y = *(const qz_measured *const *)b;
    if (x->file_bytes != y->file_bytes) return x->file_bytes < y->file_bytes ? -1 : 1;
    return x < y ? -1 : x > y;
}

static qz_status row(qz_table *t, const qz_measured *x, qz_error *err) {
    QZ_TRY(qz_table_row(t, err));
    QZ_TRY(qz_table_set(t, 0, err, "%s", x->name));
    QZ_TRY(qz_table_set(t, 1, err, "%s", x->encoding));
    QZ_TRY(qz_table_set(t, 2, err, "%.2f", (double)x->file_bytes / 1e6));
    QZ_TRY(qz_table_set(t, 3, err, "%.6f", x->score.kl.value));
    QZ_TRY(qz_table_set(t, 4, err, "%.6f-%.6f", x->score.kl.low, x->score.kl.high));
    QZ_TRY(qz_table_set(t, 5, err, "%s", x->on_line ? "yes" : "no"));
    QZ_TRY(qz_table_set(t, 6, err, "%s", x->maker.by[0] ? x->maker.by : "unknown"));
    return qz_table_set(t, 7, err, "%s", provenance(x));
}

static void words(const qz_measured *x, qz_str *out) {
    if (!x->maker.by[0] && !x->maker.base[0] && !x->maker.data[0]) return;
    qz_str_printf(out, "  %s:", x->name);
    if (x->maker.by[0]) qz_str_printf(out, " made by %s (%s)", x->maker.by, x->maker.where);
    if (x->maker.base[0]) qz_str_printf(out, "%s of %s", x->maker.by[0] ? "," : "", x->maker.base);
    if (x->maker.data[0]) qz_str_printf(out, "%s %s", x->maker.by[0] || x->maker.base[0] ? ";" : "", x->maker.data);
    qz_str_putc(out, '\n');
}

qz_status qz_others_print(const qz_measured *m, size_t n, const qz_uploads *said, qz_str *out, qz_error *err) {
    static const qz_column cols[] = {{"Artifact", 'l'}, {"Format", 'l'}, {"MB", 'r'}, {"KL", 'r'}, {"95 %", 'r'},
                                     {"best", 'l'}, {"Made by", 'l'}, {"Provenance", 'l'}};
    qz_arena a = {0};
    qz_table t;
    const qz_measured **order = qz_arena_alloc(&a, n, sizeof *order);
    qz_status st = order ? qz_table_init(&t, &a, "size against KL, smallest first; best: no other is as small and as "
                                                 "near the source", cols, 8, err)
                         : qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 1; st == QZ_OK && i < n; i++) order[i - 1] = &m[i];
    if (st == QZ_OK) qsort(order, n - 1, sizeof *order, by_size);
    for (size_t i = 0; st == QZ_OK && i + 1 < n; i++) st = row(&t, order[i], err);
    if (st == QZ_OK) qz_table_text(&t, out);
    for (size_t i = 0; st == QZ_OK && i + 1 < n; i++) words(order[i], out);
    if (st == QZ_OK)
        qz_str_printf(out, "  %zu model%s found, %zu compared, %zu not; %zu other entr%s no model\n", said->found,
                      qz_plural(said->found), said->found - said->n_skipped, said->n_skipped, said->no_model,
                      said->no_model == 1 ? "y is" : "ies are");
    for (size_t i = 0; st == QZ_OK && i < said->n_skipped; i++)
        qz_str_printf(out, "  not compared: %s: %s\n", said->skipped[i].path, said->skipped[i].why);
    qz_arena_release(&a);
    return st;
}

void qz_others_json(const qz_uploads *said, qz_json_writer *w) {
    qz_jw_open(w, "others", '{');
    qz_jw_count(w, "found", said->found);
    qz_jw_count(w, "compared", said->found - said->n_skipped);
    qz_jw_count(w, "no_model", said->no_model);
    qz_jw_open(w, "skipped", '[');
    for (size_t i = 0; i < said->n_skipped; i++) {
        qz_jw_row(w);
        qz_jw_text(w, "path", said->skipped[i].path);
        qz_jw_text(w, "why", said->skipped[i].why);
        qz_jw_close(w, '}');
    }
    qz_jw_close(w, ']');
    qz_jw_close(w, '}');
}

void qz_maker_json(const qz_measured *x, qz_json_writer *w) {
    const qz_maker *m = &x->maker;
    qz_jw_bool(w, "upload", x->upload);
    qz_jw_bool(w, "pareto", x->on_line);
    qz_jw_text(w, "provenance", provenance(x));
    qz_jw_text(w, "made_by", m->by[0] ? m->by : NULL);
    qz_jw_text(w, "made_by_said_in", m->where[0] ? m->where : NULL);
    qz_jw_text(w, "base", m->base[0] ? m->base : NULL);
    qz_jw_text(w, "made_with_data", m->data[0] ? m->data : NULL);
}
