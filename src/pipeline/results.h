/* What verbs work out before the command line words it; libquantz (api/) returns the same. Nothing here prints, except
 * that qz_quantize shows the plan of a dry run.
 *   qz_quantize: the whole of `quantize`: artifact, proof and manifest on disk, its figures in *p.
 *   qz_inspect_json, qz_evaluate_json: what --json prints (report/).
 *   qz_answer:   one prompt of `run`, piece by piece: qz_answerer a = {.source = &s};
 *                qz_answer(run, &a, r, &question, …); release.
 * Ownership: results are the caller's (qz_produced_release, qz_str_release); sources are borrowed.
 * Errors: those of the stages; options in r that do not parse are QZ_EUSAGE. */
#ifndef QZ_PIPELINE_RESULTS_H
#define QZ_PIPELINE_RESULTS_H
#include "base/str.h"
#include "engine/session.h"
#include "pipeline/evaluate.h"
#include "produce/produce.h"
#include "produce/rederive.h"
#include "report/inspect_print.h"
#include "text/chat.h"

/* p is zeroed first and may be released whatever is returned. scheme: canonical spelling. */
qz_status qz_quantize(qz_run *run, const qz_request *r, qz_produced *p, char scheme[80], qz_error *err);
/* The job of r (an artifact's recipe and its source) up to its codes, compared with how->path (rederive.h); what is
 * made again stands in a folder under TMPDIR, which is removed. out is zeroed first; qz_rederived_release. */
qz_status qz_quantize_again(qz_run *run, const qz_request *r, const qz_rederive_how *how, qz_rederived *out,
                            qz_error *err);

typedef struct {
    const qz_source *source;   /* borrowed */
    qz_engine *engine;         /* opened at the first prompt, kept for the next ones of the same arithmetic */
    qz_arith arith;
    qz_lora *lora;             /* of r->adapters, with the engine */
} qz_answerer;
/* Complete UTF-8 sequences, NUL terminated behind n bytes; false stops. */
typedef bool (*qz_text_fn)(void *arg, const char *text, size_t n);
typedef struct {
    const char *prompt; size_t n;
    qz_text_fn fn; void *arg;  /* what hears the answer */
    const qz_conversation *conversation; /* instead of a prompt; NULL: none */
} qz_question;
/* The answer to a prompt: chat template unless r->raw or the model has none; without tokenizer prompt and answer are
 * ids. Uses the sampling, system, ctx, max_new, arith, raw and show_special of r. */
qz_status qz_answer(qz_run *run, qz_answerer *a, const qz_request *r, const qz_question *q, qz_generated *info,
                    qz_error *err);
void qz_answerer_release(qz_answerer *a);
#endif
