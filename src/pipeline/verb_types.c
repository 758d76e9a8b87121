#include "codecs/types.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"

qz_status qz_run_types_verb(qz_run *run, const qz_request *r, qz_error *err) {
    (void)run;
    static const qz_column cols[] = {{"Type", 'l'}, {"block", 'r'}, {"bytes", 'r'}, {"bits/weight", 'r'}, {"GGUF id", 'r'}, {"importance", 'l'}, {"written", 'l'}};
    qz_arena arena = {0};
    qz_table t;
    qz_status st = qz_table_init(&t, &arena, NULL, cols, sizeof cols / sizeof cols[0], err);
    for (int i = 0; i < QZ_TYPE_COUNT && st == QZ_OK; i++) {
        const qz_type_info *x = qz_type_get((qz_type)i);
        st = qz_table_row(&t, err);
        if (st == QZ_OK) st = qz_table_set(&t, 0, err, "%s", x->name);
        if (st == QZ_OK) st = qz_table_set(&t, 1, err, "%u", x->elems);
        if (st == QZ_OK) st = qz_table_set(&t, 2, err, "%u", x->bytes);
        if (st == QZ_OK) st = qz_table_set(&t, 3, err, "%.4f", qz_type_bpw((qz_type)i));
        if (st == QZ_OK) st = qz_table_set(&t, 4, err, "%d", x->ggml_id);
        if (st == QZ_OK) st = qz_table_set(&t, 5, err, "%s", x->uses_importance ? "used" : "ignored");
        if (st == QZ_OK) st = qz_table_set(&t, 6, err, "%s", x->kind == QZ_KIND_ACTIVATION ? "activations only" : x->encode ? "yes" : "read only");
    }
    static const struct { const char *name; double bpw; } groups[] = {{"int4 g32", 4.625}, {"int4 g64", 4.3125}, {"int4 g128", 4.15625}};
    for (size_t i = 0; i < 3 && st == QZ_OK; i++) {
        st = qz_table_row(&t, err);
        if (st == QZ_OK) st = qz_table_set(&t, 0, err, "%s", groups[i].name);
        if (st == QZ_OK) st = qz_table_set(&t, 3, err, "%.5g", groups[i].bpw);
        if (st == QZ_OK) st = qz_table_set(&t, 5, err, "calibration");
        if (st == QZ_OK) st = qz_table_set(&t, 6, err, "awq");
    }
    if (st == QZ_OK) st = qz_table_show(&t, r->json, err);
    qz_arena_release(&arena);
    return st;
}
