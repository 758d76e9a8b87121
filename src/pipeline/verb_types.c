#include "codecs/types.h"
#include "model/families.h"
#include "model/kinds.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"
#include <stdio.h>

/* Codes beside scales: bits of the codes, plus a float16 scale and, where there is one, a zero point a group; the
 * tables of bitsandbytes have a float32 scale per block, or an 8-bit one (float32 per 256 of them) with +double; FP8
 * has a scale a row, a block or a matrix. */
static qz_status coded_rows(qz_table *t, qz_error *err) {
    static const struct { const char *name; double bits, group, per_group; const char *data, *schemes; } rows[] = {
        {"int2 g64 asym", 2, 64, 18, "calibration", "gptq"}, {"int3 g128 asym", 3, 128, 19, "calibration", "gptq"},
        {"int4 g32 asym", 4, 32, 20, "calibration", "awq gptq"},
        {"int4 g64 asym", 4, 64, 20, "calibration", "awq gptq"},
        {"int4 g128 asym", 4, 128, 20, "calibration", "awq gptq"},
        {"int8 g128 asym", 8, 128, 24, "calibration", "gptq"}, {"nf4 +double", 4, 64, 8 + 32.0 / 256, "ignored", "bnb"},
        {"nf4", 4, 64, 32, "ignored", "bnb"}, {"fp4", 4, 64, 32, "ignored", "bnb"},
        {"int8 rows", 8, 0, 0, "ignored", "bnb"}, {"fp8 rows", 8, 0, 0, "ignored", "ct:fp8_dynamic"},
        {"fp8 128x128", 8, 128 * 128, 32, "ignored", "ct:fp8_block fp8"},
        {"fp8 tensor", 8, 0, 0, "ignored", "read only"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", rows[i].name));
        if (rows[i].group > 0) QZ_TRY(qz_table_set(t, 1, err, "%.0f", rows[i].group));
        QZ_TRY(qz_table_set(t, 3, err, "%.4f",
                            rows[i].bits + (rows[i].group > 0 ? rows[i].per_group / rows[i].group : 0)));
        QZ_TRY(qz_table_set(t, 5, err, "%s", rows[i].data));
        QZ_TRY(qz_table_set(t, 6, err, "%s", rows[i].schemes));
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
    qz_str note = {0};
    if (st == QZ_OK) st = qz_table_show(&t, r->json, err);
    if (st == QZ_OK && !r->json) {
        qz_str_puts(&note, "runs: calibrate, quantize, eval, run, bench, every format that the engines load for it\n"
                           "planned: plan, pick, check, inspect, and formats without data (quantize --to "
                           "ct:fp8_dynamic, ct:nvfp4a16, ct:mxfp4, fp8:block, bnb:nf4)\n"
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
