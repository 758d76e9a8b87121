#include "artifacts/open.h"
#include "base/io.h"
#include "base/size.h"
#include "artifacts/source.h"
#include "pipeline/records.h"
#include "pipeline/results.h"
#include "pipeline/tokenizer_check.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"
#include "text/text_file.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

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

/* "all", or "5%": above 0, at most 100. */
static qz_status share_of(const char *text, double *share, qz_error *err) {
    char *end = NULL;
    if (strcmp(text, "all") == 0) return *share = 1, QZ_OK;
    *share = strtod(text, &end) / 100;
    if (end != text && strcmp(end, "%") == 0 && *share > 0 && *share <= 1) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "--rederive: expected all, or a share above 0 %% and at most 100 %% such as 5%%, "
                                   "found '%s'", text);
}

static qz_status check_row(qz_table *t, const char *what, bool good, const qz_str *detail, qz_error *err) {
    QZ_TRY(qz_table_row(t, err));
    QZ_TRY(qz_table_set(t, 0, err, "%s", what));
    QZ_TRY(qz_table_set(t, 1, err, "%s", good ? "ok" : "FAIL"));
    return detail->failed ? qz_fail(err, QZ_EMEMORY, "out of memory") : qz_table_set(t, 2, err, "%s", detail->ptr);
}

/* What a sample of the artifact's tensors can have missed. */
static void say_chance(const qz_rederived *d, uint64_t seed, qz_str *s) {
    const char *unit = d->blocks ? "block" : "tensor";
    size_t many = 1;
    if (d->drawn == d->units) return;
    while (many < d->units && qz_rederived_chance(d, many) < 0.95) many++;
    qz_str_printf(s, "; drawn: %zu of %zu %ss (seed %llu): one changed %s is found with probability %.3g %%", d->drawn,
                  d->units, unit, (unsigned long long)seed, unit,
                  100 * qz_rederived_chance(d, 1));
    if (many > 1) qz_str_printf(s, ", %zu with %.3g %%", many, 100 * qz_rederived_chance(d, many));
    qz_str_puts(s, "; --rederive all leaves none out");
}

static qz_status rederived_rows(const qz_request *r, const qz_rederived *d, uint64_t seed, qz_table *t,
                                qz_error *err) {
    qz_str s = {0};
    qz_str_printf(&s, "%s", d->origin.len ? d->origin.ptr : "source and data are those that the artifact records");
    qz_status st = check_row(t, "origin", d->origin.len == 0, &s, err);
    s.len = 0;
    qz_str_printf(&s, "%zu of %zu tensors coded again from '%s': ", d->compared, d->tensors, r->source);
    if (d->differ) qz_str_printf(&s, "%zu hold other values: %s", d->differ, d->names.ptr);
    else qz_str_puts(&s, "every value is equal");
    if (d->dependent) qz_str_puts(&s, " (codes depend on the blocks before: all were needed)");
    say_chance(d, seed, &s);
    if (st == QZ_OK) st = check_row(t, "rederived", d->differ == 0, &s, err);
    s.len = 0;
    if (d->other_files)
        qz_str_printf(&s, "%zu of %zu files differ, first %s", d->other_files, d->files, d->where.ptr);
    else qz_str_printf(&s, "%zu file%s written again: every byte is equal", d->files, qz_plural(d->files));
    if (st == QZ_OK && d->files) st = check_row(t, "bytes", d->other_files == 0, &s, err);
    s.len = 0;
    qz_str_puts(&s, d->header
                        ? "settings, tokenizer and metadata are those that this program writes"
                        : "settings, tokenizer or metadata are not those that this program writes (edited, or made "
                          "by another version)");
    if (st == QZ_OK) st = check_row(t, "header", d->header, &s, err);
    qz_str_release(&s);
    return st;
}

/* Tensors coded again from the source under the artifact's own recipe (B-03). */
static qz_status rederive(qz_run *run, const qz_request *r, qz_table *t, bool *same, qz_error *err) {
    qz_rederived d = {0};
    qz_rederive_how how = {.path = r->operands[0], .seed = r->seed};
    QZ_TRY(share_of(r->rederive, &how.share, err));
    if (how.seed == 0) { /* nobody who changes a file may know what will be looked at */
        uint32_t drawn;
        if (getrandom(&drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn)
            return qz_fail(err, QZ_EIO, "no random number for the sample: give --seed N");
        how.seed = 1 + (uint64_t)drawn;
    }
    qz_status st = qz_quantize_again(run, r->recipe, &how, &d, err);
    if (st == QZ_OK) st = rederived_rows(r, &d, how.seed, t, err);
    *same = d.differ + d.other_files == 0 && d.origin.len == 0 && d.header;
    qz_rederived_release(&d);
    return st;
}

qz_status qz_run_verify_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_arena a = {0};
    qz_table t = {0};
    bool same = true, again = true;
    if (r->tokenizer && r->rederive)
        return qz_fail(err, QZ_EUSAGE,
                       "--tokenizer looks at the tokenizer alone: give --rederive in a call of its own");
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
    if (verdict == QZ_OK && st == QZ_OK && r->rederive) st = rederive(run, r, &t, &again, err);
    if (st == QZ_OK && t.n_rows) {
        qz_error shown = {0};
        st = qz_table_show(&t, r->json, &shown);
    }
    if (verdict == QZ_OK && st == QZ_OK && !same)
        verdict = qz_fail(err, QZ_ECHECK, "token ids differ: '%s' against '%s'", r->operands[0], r->against);
    if (verdict == QZ_OK && st == QZ_OK && !again)
        verdict = qz_fail(err, QZ_ECHECK, "'%s' is not what '%s' and its recipe give", r->operands[0], r->source);
    qz_arena_release(&a);
    return verdict != QZ_OK ? verdict : st;
}
