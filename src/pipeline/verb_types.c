#include "artifacts/schemes.h"
#include "codecs/types.h"
#include "model/families.h"
#include "model/kinds.h"
#include "pipeline/verbs.h"
#include "plan/levels.h"
#include "report/table_print.h"
#include <stdio.h>
#include <string.h>

/* Codes beside scales: the levels that plan weighs, by their schemes' names. A group of 0 is a row, of 1 the tensor. */
static qz_status coded_rows(qz_table *t, qz_error *err) {
    for (qz_level l = 0; l < QZ_LEVEL_COUNT; l++) {
        const qz_level_info *x = qz_level_get(l);
        const char *scheme = qz_level_scheme(l);
        qz_scheme_spec s;
        if (x->kind != QZ_LEVEL_CODES || scheme == NULL || strcmp(scheme, x->name) != 0) continue;
        QZ_TRY(qz_scheme_parse(scheme, &s, err));
        const bool groups = x->group > 1;
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", x->name));
        const bool square = x->scale_bits < 1; /* the share of a row of a square block */
        if (groups) QZ_TRY(qz_table_set(t, 1, err, "%u", square ? x->group * x->group : x->group));
        QZ_TRY(qz_table_set(t, 3, err, "%.4f", x->bits + (groups ? (x->scale_bits + x->zero_bits) / x->group : 0)));
        const bool rounds = strcmp(qz_scheme_get(s.scheme)->best, "round") == 0;
        QZ_TRY(qz_table_set(t, 5, err, "%s", qz_scheme_static_inputs(&s) ? "needed" : rounds ? "ignored" : "used"));
        QZ_TRY(qz_table_set(t, 6, err, "%s", "yes"));
    }
    return QZ_OK;
}

/* Its mixers and its feed-forward, in the words of the kinds. */
static void blocks_text(const qz_family_info *f, char *out, size_t size) {
    if (f->by_layer) { /* which layers have what, the file says */
        (void)snprintf(out, size, "%s and wide ones; %s or %s", qz_kind_word(QZ_KIND_NORMED_ATTENTION),
                       qz_kind_word(QZ_KIND_STREAM_MLP), qz_kind_word(QZ_KIND_STREAM_EXPERTS));
        return;
    }
    const bool both = f->mixer != QZ_KIND_ATTENTION && f->pattern;
    const qz_kind_id ffn = f->ffn ? f->ffn : f->experts == 0 ? QZ_KIND_MLP
                           : f->shared || f->parts & QZ_PART_SHARED_GATE ? QZ_KIND_SHARED_EXPERTS : QZ_KIND_EXPERTS;
    (void)snprintf(out, size, "%s%s; %s", qz_kind_word(f->mixer), both ? " and attention" : "", qz_kind_word(ffn));
}

static qz_status show_families(const qz_request *r, qz_error *err) {
    static const qz_column cols[] = {{"Family", 'l'}, {"GGUF", 'l'}, {"Here", 'l'}, {"Blocks", 'l'}};
    qz_arena arena = {0};
    qz_table t;
    char text[160];
    qz_status st = qz_table_init(&t, &arena, NULL, cols, sizeof cols / sizeof cols[0], err);
    for (qz_family i = 0; i < QZ_FAMILY_ALL && st == QZ_OK; i++) {
        const qz_family_info *f = qz_family_get(i);
        if (i == QZ_FAMILY_COUNT) continue;
        blocks_text(f, text, sizeof text);
        st = qz_table_row(&t, err);
        if (st == QZ_OK) st = qz_table_set(&t, 0, err, "%s", f->name);
        if (st == QZ_OK) st = qz_table_set(&t, 1, err, "%s", f->gguf_arch ? f->gguf_arch : "none");
        if (st == QZ_OK) st = qz_table_set(&t, 2, err, "%s", i < QZ_FAMILY_COUNT ? "runs" : "planned");
        if (st == QZ_OK) st = qz_table_set(&t, 3, err, "%s", text);
    }
    for (size_t i = 0; st == QZ_OK && qz_family_named(i); i++) {
        const qz_named_family *f = qz_family_named(i);
        const char *cells[] = {f->name, f->gguf_arch, "by name", f->blocks};
        st = qz_table_row(&t, err);
        for (size_t k = 0; k < 4 && st == QZ_OK; k++) st = qz_table_set(&t, k, err, "%s", cells[k]);
    }
    qz_str note = {0};
    if (st == QZ_OK) st = qz_table_show(&t, r->json, err);
    if (st == QZ_OK && !r->json) {
        qz_str_puts(&note, "runs: calibrate, quantize, eval, run, bench, every format that the engines load for it\n"
                           "planned: plan, pick, check, inspect, and formats without data (quantize --to "
                           "ct:fp8_dynamic, ct:nvfp4a16, ct:mxfp4, fp8:block, bnb:nf4)\n"
                           "by name: inspect, verify, check of what files say, and the same formats without data\n"
                           "any other: formats without data, by names and shapes alone\n");
        st = qz_show_text(&note, err);
    }
    qz_str_release(&note);
    qz_arena_release(&arena);
    return st;
}

qz_status qz_run_types_verb(qz_run *run, const qz_request *r, qz_error *err) {
    (void)run;
    static const qz_column cols[] = {{"Type", 'l'}, {"block", 'r'}, {"bytes", 'r'}, {"bits/weight", 'r'},
                                     {"GGUF id", 'r'}, {"importance", 'l'}, {"written", 'l'}};
    qz_arena arena = {0};
    qz_table t;
    if (r->families) return show_families(r, err);
    qz_status st = qz_table_init(&t, &arena, NULL, cols, sizeof cols / sizeof cols[0], err);
    for (int i = 0; i < QZ_TYPE_COUNT && st == QZ_OK; i++) {
        const qz_type_info *x = qz_type_get((qz_type)i);
        st = qz_table_row(&t, err);
        if (st == QZ_OK) st = qz_table_set(&t, 0, err, "%s", x->name);
        if (st == QZ_OK) st = qz_table_set(&t, 1, err, "%u", x->elems);
        if (st == QZ_OK) st = qz_table_set(&t, 2, err, "%u", x->bytes);
        if (st == QZ_OK) st = qz_table_set(&t, 3, err, "%.4f", qz_type_bpw((qz_type)i));
        if (st == QZ_OK) st = qz_table_set(&t, 4, err, "%d", x->ggml_id);
        if (st == QZ_OK) st = qz_table_set(&t, 5, err, "%s",
                              x->needs_importance ? "needed" : x->uses_importance ? "used" : "ignored");
        if (st == QZ_OK)
            st = qz_table_set(&t, 6, err, "%s",
                              x->kind == QZ_KIND_ACTIVATION ? "activations only"
                              : x->encode                   ? "yes"
                                                            : "read only");
    }
    if (st == QZ_OK) st = coded_rows(&t, err);
    if (st == QZ_OK) st = qz_table_show(&t, r->json, err);
    qz_arena_release(&arena);
    return st;
}
