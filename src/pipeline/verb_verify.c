#include "artifacts/open.h"
#include "base/io.h"
#include "base/size.h"
#include "artifacts/source.h"
#include "pipeline/records.h"
#include "pipeline/tokenizer_check.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"
#include "text/text_file.h"
#include <string.h>

/* Token ids of a text under both tokenizers must be equal (C-69). */
static qz_status compare_tokens(qz_run *run, const qz_request *r, qz_table *t, bool *same, qz_error *err) {
    qz_source a = {0}, b = {0};
    qz_ids x = {0}, y = {0};
    char *text = NULL;
    size_t n = 0, bad = 0;
    if (r->against == NULL)
        return qz_fail(err, QZ_EUSAGE, "--tokens needs --against MODEL (the source whose tokenizer is the truth)");
    qz_status st = qz_source_open(run, r->operands[0], &a, err);
    if (st == QZ_OK) st = qz_source_open(run, r->against, &b, err);
    if (st == QZ_OK) st = qz_text_read(r->tokens, 1u << 30, &text, &n, NULL, err);
    if (st == QZ_OK && (a.tokenizer == NULL || b.tokenizer == NULL))
        st = qz_fail(err, QZ_EUSAGE, "no tokenizer to compare in '%s'", a.tokenizer ? r->against : r->operands[0]);
    const unsigned flags = QZ_ENCODE_SPECIAL | QZ_ENCODE_PARSE_SPECIAL;
    if (st == QZ_OK) st = qz_tokenizer_encode(a.tokenizer, text, n, flags, &x, err);
    if (st == QZ_OK) st = qz_tokenizer_encode(b.tokenizer, text, n, flags, &y, err);
    if (st == QZ_OK) {
        for (size_t i = 0; i < qz_min_size(x.n, y.n); i++) bad += x.ids[i] != y.ids[i];
        bad += qz_max_size(x.n, y.n) - qz_min_size(x.n, y.n);
        *same = bad == 0;
        st = qz_table_row(t, err);
        if (st == QZ_OK) st = qz_table_set(t, 0, err, "token ids");
        if (st == QZ_OK) st = qz_table_set(t, 1, err, "%s", bad ? "FAIL" : "ok");
        if (st == QZ_OK) st = qz_table_set(t, 2, err, "%zu mismatches in %zu tokens", bad, y.n);
    }
    qz_ids_release(&x);
    qz_ids_release(&y);
    qz_free(text);
    qz_source_release(&a);
    qz_source_release(&b);
    return st;
}

qz_status qz_run_verify_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_arena a = {0};
    qz_table t = {0};
    bool same = true;
    if (r->tokenizer) {
        qz_status proved = qz_tokenizer_check(r, &a, &t, err);
        qz_error shown = {0};
        const qz_status st = t.n_rows ? qz_table_show(&t, r->json, &shown) : QZ_OK;
        qz_arena_release(&a);
        return proved != QZ_OK ? proved : st;
    }
    run->accept = "*"; /* a row of the table says what nothing uses */
    const qz_record kind = qz_record_of(r->operands[0]);
    qz_status st = QZ_OK, verdict = kind ? qz_record_table(r->operands[0], kind, true, &a, &t, err)
                                         : qz_artifact_verify(run, r->operands[0], &a, &t, err);
    if (verdict == QZ_OK && r->tokens) st = compare_tokens(run, r, &t, &same, err);
    if (st == QZ_OK && t.n_rows) {
        qz_error shown = {0};
        st = qz_table_show(&t, r->json, &shown);
    }
    if (verdict == QZ_OK && st == QZ_OK && !same)
        verdict = qz_fail(err, QZ_ECHECK, "token ids differ: '%s' against '%s'", r->operands[0], r->against);
    qz_arena_release(&a);
    return verdict != QZ_OK ? verdict : st;
}
