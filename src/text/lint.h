/* Judges calibration data before it is used: duplicates, rank, count, lengths, domain, leaks (mission C-04 … C-15).
 * qz_lint l; qz_lint_run(t, data, &options, &l, err); for each l.findings[i] …; qz_lint_release(&l).
 * Findings do not fail the call: the caller refuses on QZ_LINT_REFUSE unless the code was accepted.
 * Codes: lint_codes.def. */
#ifndef QZ_TEXT_LINT_H
#define QZ_TEXT_LINT_H
#include "base/arena.h"
#include "text/dataset.h"
#include "text/tasks.h"

/* NULL behind the last code. */
const char *qz_lint_code_at(size_t i);
const char *qz_lint_code_about(size_t i);

typedef enum { QZ_LINT_NOTE, QZ_LINT_WARN, QZ_LINT_REFUSE } qz_lint_severity;
/* text begins with the code; told: the same with counts, as what is made from accepted data says it (accepted.h) */
typedef struct { const char *code, *text; qz_lint_severity severity; const char *told; } qz_lint_finding;

/* Facts about one data set, tokens counted with the model's own tokenizer. */
typedef struct {
    size_t samples, unique, tokens;
    size_t distinct_rows;      /* different contexts (token prefixes of samples): bound
                                * of the rank of any Gram matrix */
    size_t distinct_tokens;    /* different token ids */
    size_t shortest, longest;  /* tokens of a sample */
    double median, p90, mean;
    double self_divergence;    /* between two halves of the data: what chance alone makes, bits */
    size_t histogram[16];      /* samples of [2^i, 2^(i+1)) tokens; the last takes all longer ones */
    double english, french, german, other_language;               /* shares of samples, by stop words */
    double latin, cyrillic, greek, han, kana, hangul, arabic, other_script; /* shares of letters */
} qz_data_facts;

/* Samples of the data (paragraphs of a text file) that stand in another set too; lines of the first, here and there. */
typedef struct { size_t n, of, line, other_line; } qz_leak;

typedef struct {
    const qz_dataset *traffic;  /* production sample: lengths and domain are compared with it; NULL = none */
    const qz_dataset *eval;     /* evaluation text: leaks, and domain when there is no traffic; NULL = none */
    const qz_taskset *tasks;    /* leaks; NULL = none */
    size_t largest_in;          /* largest in_features of the model; 0 = no rank check */
} qz_lint_options;

typedef struct {
    qz_lint_finding *findings; size_t n;
    qz_data_facts data, other;  /* other: traffic, else eval; zero when there is neither */
    double divergence;          /* Jensen-Shannon of the unigrams of data and other, bits, 0..1; -1 = not computed */
    qz_leak leaks_eval, leaks_tasks;
    qz_arena arena;
} qz_lint;

/* t may be NULL only for records with ids. o may be NULL. */
qz_status qz_lint_run(const qz_tokenizer *t, const qz_dataset *data, const qz_lint_options *o, qz_lint *out,
                      qz_error *err);
/* Only CAL-LEAK of data in eval and tasks (either may be NULL). */
qz_status qz_lint_leaks(const qz_dataset *data, const qz_dataset *eval, const qz_taskset *tasks, qz_lint *out,
                        qz_error *err);
void qz_lint_release(qz_lint *l);
/* Samples of `data` that are also in `other` (the same text but for blanks and the case of ASCII letters; of text
 * without template a whole paragraph is enough), or that begin with a task's prompt. */
qz_status qz_data_overlap(const qz_dataset *data, const qz_dataset *other, qz_leak *leak, qz_error *err);
qz_status qz_task_overlap(const qz_dataset *data, const qz_taskset *tasks, qz_leak *leak, qz_error *err);
/* "refuse", "warn", "note". */
const char *qz_lint_severity_name(qz_lint_severity s);
#endif
