#include "report/diff_print.h"
#include "base/size.h"
#include "model/leftovers.h"
#include "report/table_print.h"
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 10 }; /* tensors without --tensors */

static int by_error(const void *a, const void *b) {
    const qz_tensor_diff *x = *(const qz_tensor_diff *const *)a, *y = *(const qz_tensor_diff *const *)b;
    if (x->same_shape != y->same_shape) return x->same_shape ? 1 : -1;
    return x->rms != y->rms ? (x->rms < y->rms ? 1 : -1) : strcmp(x->name, y->name);
}

static qz_status tensor_table(const qz_diff *d, bool all, bool json, qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Tensor", 'l'}, {"A", 'l'}, {"B", 'l'}, {"Differ", 'r'}, {"rms %", 'r'},
                                     {"Largest %", 'r'}, {"folded", 'l'}};
    const qz_tensor_diff **order = qz_arena_alloc(a, d->n_tensors + 1, sizeof *order);
    QZ_TRY(qz_table_init(t, a, NULL, cols, json ? 7 : 6, err));
    if (!order) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < d->n_tensors; i++) order[i] = &d->tensors[i];
    if (!all && d->n_tensors) qsort(order, d->n_tensors, sizeof *order, by_error);
    for (size_t i = 0; i < d->n_tensors; i++) {
        const qz_tensor_diff *x = order[i];
        if (!all && (i >= SHOWN || (x->same_shape && x->different == 0))) break;
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s%s", x->name, x->folded && !json ? " *" : ""));
        if (json) QZ_TRY(qz_table_set(t, 6, err, "%s", x->folded ? "yes" : "no"));
        QZ_TRY(qz_table_set(t, 1, err, "%s", *x->type[0] ? x->type[0] : "-"));
        QZ_TRY(qz_table_set(t, 2, err, "%s", *x->type[1] ? x->type[1] : "-"));
        if (!x->same_shape) {
            QZ_TRY(qz_table_set(t, 3, err, "%s", *x->type[0] && *x->type[1] ? "shape" : "missing"));
            continue;
        }
        QZ_TRY(qz_table_set(t, 3, err, "%zu", x->different));
        QZ_TRY(qz_table_set(t, 4, err, json ? "%.9g" : "%.4f", 100 * x->rms));
        QZ_TRY(qz_table_set(t, 5, err, json ? "%.9g" : "%.4f", 100 * x->worst));
    }
    return QZ_OK;
}

/* A table as a value: without the line end that closes a document. */
static void json_table(qz_json_writer *w, const char *key, const qz_table *t) {
    qz_str *s = w->out;
    qz_jw_key(w, key);
    qz_table_json(t, s);
    while (s->len && s->ptr[s->len - 1] == '\n') s->len--;
}
static void json(const qz_diff *d, const qz_source *const side[2], const qz_table *tensors, qz_str *s) {
    qz_json_writer w;
    qz_jw_begin(&w, s);
    qz_jw_count(&w, "tensors", d->n_tensors);
    qz_jw_count(&w, "equal", d->equal);
    qz_jw_count(&w, "different", d->unequal);
    qz_jw_count(&w, "missing", d->missing);
    qz_jw_real(&w, "rms", d->rms);
    qz_jw_count(&w, "facts", d->facts);
    qz_jw_count(&w, "folds", d->folds);
    qz_jw_count(&w, "folded", d->folded);
    for (int i = 0; i < 2; i++) qz_unread_json(&side[i]->model->config.keys, i ? "_b" : "_a", &w);
    if (d->blocks.blocks) {
        qz_jw_key(&w, "block_errors");
        qz_block_errors_json(&d->blocks, s);
    }
    json_table(&w, "tensor_table", tensors);
    json_table(&w, "other", &d->other);
    qz_jw_end(&w);
}

qz_status qz_diff_print(const qz_diff *d, const qz_source *const side[2], const char *const paths[2], qz_diff_view as,
                        qz_arena *a, qz_str *s, qz_error *err) {
    qz_table t;
    QZ_TRY(tensor_table(d, as.tensors, as.json, a, &t, err));
    if (as.json) {
        json(d, side, &t, s);
    } else {
        for (int i = 0; i < 2; i++)
            qz_str_printf(s, "%s  %s: %s, %s\n", i ? "B" : "A", paths[i], side[i]->model->container,
                          side[i]->model->encoding);
        qz_str_printf(s,
                      "%zu tensors: %zu equal, %zu different (rms %.4f %% over all), %zu missing or of another shape\n",
                      d->n_tensors, d->equal, d->unequal, 100 * d->rms, d->missing);
        if (d->folds)
            qz_str_printf(s,
                          "note: %zu scale%s moved from one operation into the next (AWQ); the %zu tensors with * are "
                          "compared as the product of the "
                          "pair. The rms of weights is no loss of the model: feedback spends it where inputs are "
                          "small; 'quantz eval --against' measures "
                          "the loss\n",
                          d->folds, d->folds == 1 ? " was" : "s were", d->folded);
        if (t.n_rows) qz_table_text(&t, s);
        qz_block_errors_text(&d->blocks, s);
        if (s->len && s->ptr[s->len - 1] != '\n') qz_str_putc(s, '\n');
        if (d->facts) qz_table_text(&d->other, s);
        else qz_str_puts(s, "configuration, metadata, tokenizer and chat template are equal\n");
    }
    return QZ_OK;
}
