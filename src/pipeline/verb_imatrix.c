#include "base/size.h"
#include "formats/imatrix_sum.h"
#include "produce/outputs.h"
#include "pipeline/verbs.h"
#include "base/json_write.h"
#include "report/table_print.h"
#include "artifacts/provenance.h"
#include "produce/importance.h"
#include "text/accepted.h"
#include <string.h>

typedef struct { qz_imatrix *im; size_t n; } files;

static qz_status open_all(files *f, char **names, size_t n, qz_error *err) {
    f->im = qz_calloc_array(n + 1, sizeof *f->im);
    if (f->im == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (; f->n < n; f->n++) QZ_TRY(qz_imatrix_open(&f->im[f->n], names[f->n], err));
    return QZ_OK;
}
static void close_all(files *f) {
    for (size_t i = 0; i < f->n; i++) qz_imatrix_release(&f->im[i]);
    qz_free(f->im);
}

/* Counts of experts have no place in a .dat file. */
static void say(qz_run *run, const qz_imatrix *sum, const qz_imatrix_sum_facts *facts, size_t n, bool dat) {
    size_t stacks = 0;
    for (size_t i = 0; i < sum->n; i++) stacks += sum->entries[i].mats > 1;
    if (facts->alone)
        qz_warn(run, "%zu of %zu entries are not in all %zu files (first '%s'): they count the files that have them",
                facts->alone, sum->n, n, facts->first);
    if (facts->other_chunks)
        qz_info(run, "note: the files have chunks of other sizes: counted in chunks of %u tokens", sum->chunk_size);
    if (dat && stacks)
        qz_warn(run, "%zu entr%s of experts: a .dat file holds means without the tokens of each expert", stacks,
                stacks == 1 ? "y" : "ies");
}

/* What --accept let pass for any of the files holds for their sum; the weights' hash where all name the same one. */
static qz_status carry_notes(qz_imatrix *sum, const files *f, qz_error *err) {
    const char *accepted = NULL;
    qz_imatrix_note *notes = qz_arena_calloc(&sum->arena, 2, sizeof *notes);
    const char *source = qz_imatrix_note_of(&f->im[0], QZ_IMATRIX_SOURCE_KEY);
    if (notes == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory adding importance matrices");
    for (size_t i = 0; i < f->n; i++) {
        const char *its = qz_imatrix_note_of(&f->im[i], QZ_IMATRIX_SOURCE_KEY);
        if (its == NULL || source == NULL || strcmp(its, source) != 0) source = NULL;
        accepted = qz_accepted_join(&sum->arena, accepted, qz_imatrix_note_of(&f->im[i], "quantz." QZ_ACCEPTED_KEY));
        if (accepted == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory adding importance matrices");
    }
    if (*accepted) notes[sum->n_notes++] = (qz_imatrix_note){"quantz." QZ_ACCEPTED_KEY, accepted, true};
    if (source && (source = qz_arena_strdup(&sum->arena, source)))
        notes[sum->n_notes++] = (qz_imatrix_note){QZ_IMATRIX_SOURCE_KEY, source, false};
    sum->notes = notes;
    return QZ_OK;
}

static qz_status show_sum(const qz_request *r, const qz_imatrix *sum, const qz_imatrix_sum_facts *facts, size_t n,
                          bool dat, qz_error *err) {
    qz_str s = {0};
    qz_json_writer w;
    if (r->json) {
        qz_jw_begin(&w, &s);
        qz_jw_text(&w, "path", r->output);
        qz_jw_text(&w, "form", dat ? "dat" : "gguf");
        qz_jw_count(&w, "files", n);
        qz_jw_count(&w, "entries", sum->n);
        qz_jw_count(&w, "entries_not_in_all", facts->alone);
        qz_jw_count(&w, "datasets", sum->n_datasets);
        qz_jw_count(&w, "chunks", sum->chunk_count);
        qz_jw_count(&w, "chunk_size", sum->chunk_size);
        qz_jw_key(&w, "calibration_accepted");
        qz_accepted_json(qz_imatrix_note_of(sum, "quantz." QZ_ACCEPTED_KEY), &s);
        qz_jw_end(&w);
    } else {
        qz_str_printf(&s, "%s\n  %zu entr%s of %zu file%s, %zu data set%s, %u chunks of %u tokens, %s form\n",
                      r->output, sum->n, sum->n == 1 ? "y" : "ies", n, qz_plural(n), sum->n_datasets,
                      qz_plural(sum->n_datasets), sum->chunk_count, sum->chunk_size, dat ? ".dat" : "GGUF");
        const char *accepted = qz_imatrix_note_of(sum, "quantz." QZ_ACCEPTED_KEY);
        if (accepted) qz_str_puts(&s, "  ");
        qz_accepted_line(accepted, &s);
        if (accepted)
            qz_str_printf(&s, ": the sum says so too%s\n", dat ? ", behind the name of its data set" : "");
    }
    qz_status st = r->json ? qz_show(&s, err) : qz_show_text(&s, err);
    qz_str_release(&s);
    return st;
}

/* Every file is an input of the request: none of them is replaced. */
static qz_status claim(qz_outputs *outs, const qz_request *r, qz_error *err) {
    for (size_t i = 1; i < r->n_operands; i++) {
        qz_request one = *r;
        one.operands = r->operands + i;
        one.n_operands = 1;
        QZ_TRY(qz_outputs_claim(outs, &one, r->output, QZ_OUTPUT_FILE, err));
    }
    return QZ_OK;
}

static qz_status merge(qz_run *run, const qz_request *r, qz_error *err) {
    files f = {0};
    qz_imatrix sum = {0};
    qz_imatrix_sum_facts facts;
    qz_outputs outs = {.run = run};
    const size_t n = r->n_operands - 1;
    if (n < 1 || r->output == NULL)
        return qz_fail(err, QZ_EUSAGE, "nothing to merge: expected 'imatrix merge FILE… -o OUT'");
    const bool dat = qz_str_ends(r->output, ".dat");
    qz_status st = open_all(&f, r->operands + 1, n, err);
    if (st == QZ_OK) st = qz_imatrix_sum(&sum, f.im, (const char *const *)(r->operands + 1), n, &facts, err);
    if (st == QZ_OK) st = carry_notes(&sum, &f, err);
    if (st == QZ_OK) st = claim(&outs, r, err);
    if (st == QZ_OK) say(run, &sum, &facts, n, dat);
    if (st == QZ_OK) st = qz_imatrix_write(&sum, r->output, dat, err);
    if (st == QZ_OK) st = show_sum(r, &sum, &facts, n, dat, err);
    qz_outputs_end(&outs, st);
    qz_imatrix_release(&sum);
    close_all(&f);
    return st;
}

static qz_status fill(const qz_imatrix *im, qz_table *t, qz_error *err) {
    for (size_t i = 0; i < im->n; i++) {
        qz_imatrix_facts x;
        qz_imatrix_facts_of(im, i, &x);
        const double numbers[] = {x.total, x.least, x.most, x.mean, x.deviation, 100 * x.active,
                                  x.entropy, 100 * x.share, 100 * x.beyond, x.cosine};
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", im->entries[i].name));
        QZ_TRY(qz_table_set(t, 1, err, "%zu", x.columns));
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            QZ_TRY(qz_table_set(t, 2 + k, err, "%.4g", numbers[k]));
    }
    return QZ_OK;
}

static qz_status stats(qz_run *run, const qz_request *r, qz_error *err) {
    static const qz_column cols[] = {{"Entry", 'l'}, {"n", 'r'}, {"total", 'r'}, {"min", 'r'}, {"max", 'r'},
                                     {"mean", 'r'}, {"dev", 'r'}, {"active %", 'r'}, {"entropy", 'r'},
                                     {"of most %", 'r'}, {"z>1 %", 'r'}, {"cosine", 'r'}};
    files f = {0};
    qz_arena a = {0};
    qz_table t;
    (void)run;
    if (r->n_operands != 2) return qz_fail(err, QZ_EUSAGE, "expected 'imatrix stats FILE'");
    qz_status st = open_all(&f, r->operands + 1, 1, err);
    if (st == QZ_OK) st = qz_table_init(&t, &a, NULL, cols, sizeof cols / sizeof *cols, err);
    if (st == QZ_OK) st = fill(&f.im[0], &t, err);
    if (st == QZ_OK) st = qz_table_show(&t, r->json, err);
    qz_arena_release(&a);
    close_all(&f);
    return st;
}

qz_status qz_run_imatrix_verb(qz_run *run, const qz_request *r, qz_error *err) {
    if (strcmp(r->operands[0], "merge") == 0) return merge(run, r, err);
    if (strcmp(r->operands[0], "stats") == 0) return stats(run, r, err);
    return qz_fail(err, QZ_EUSAGE, "unknown job '%.40s': expected merge or stats", r->operands[0]);
}
