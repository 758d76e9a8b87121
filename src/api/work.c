#include "api/context.h"
#include "base/size.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void quantz_quantize_defaults(quantz_quantize_options *o, size_t size) {
    qz_fields_defaults(&qz_fields_quantize, o, size);
}
void quantz_run_defaults(quantz_run_options *o, size_t size) { qz_fields_defaults(&qz_fields_run, o, size); }
void quantz_evaluate_defaults(quantz_evaluate_options *o, size_t size) {
    qz_fields_defaults(&qz_fields_evaluate, o, size);
}

quantz_status quantz_quantize(quantz_context *c, const char *model, const quantz_quantize_options *options,
                              quantz_artifact *result) {
    quantz_quantize_options o;
    qz_request r = {.verb = "quantize"};
    qz_produced p = {0};
    quantz_artifact a = {0};
    char *operand = NULL;
    qz_status st = qz_api_begin(c);
    if (st == QZ_OK) st = qz_api_need(model, "the model's path", &c->err);
    /* before the work, not after it */
    if (st == QZ_OK) st = qz_api_give(result, NULL, sizeof a, "quantz_artifact", &c->err);
    if (st == QZ_OK) st = qz_fields_take(&qz_fields_quantize, options, &o, &c->err);
    if (st == QZ_OK) st = qz_fields_request(&qz_fields_quantize, &o, &r, &c->err);
    if (st == QZ_OK) st = qz_api_need(r.to, "'scheme' of quantz_quantize, for example gguf:Q4_K_M,", &c->err);
    if (st == QZ_OK) st = qz_api_need(r.output, "'output' of quantz_quantize", &c->err);
    if (st == QZ_OK && (operand = qz_strdup(model)) == NULL) st = qz_fail(&c->err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) {
        r.operands = &operand;
        r.n_operands = 1;
        /* borrowed for this call; codes are named one by one */
        c->run.accept = r.accept && strcmp(r.accept, "*") == 0 ? NULL : r.accept;
        st = qz_quantize(&c->run, &r, &p, a.scheme, &c->err);
        c->run.accept = NULL;
    }
    if (st == QZ_OK) {
        a.bytes = p.bytes;
        a.bits_per_weight = p.bits_per_weight;
        a.seconds = p.seconds;
        a.weight_mse = p.weight_mse;
        a.proof_kl = p.self_kl;
        a.proof_tokens = p.self_tokens;
        a.fallbacks = p.fallbacks;
        st = qz_api_give(result, &a, sizeof a, "quantz_artifact", &c->err);
    }
    qz_produced_release(&p);
    qz_free(operand);
    return qz_api_end(c, st);
}

typedef struct { quantz_text_fn fn; void *user; } listener;
static bool on_text(void *arg, const char *text, size_t n) {
    const listener *l = arg;
    return l->fn == NULL || l->fn(l->user, text, n) == 0;
}

quantz_status quantz_run(quantz_model *m, const char *prompt, const quantz_run_options *options, quantz_text_fn fn,
                         void *user, quantz_answer *result) {
    quantz_context *c = m ? m->context : NULL;
    quantz_run_options o;
    qz_request r = {.verb = "run"};
    qz_generated g = {0};
    listener l = {fn, user};
    qz_status st = qz_api_begin(c);
    if (st == QZ_OK && prompt == NULL) st = qz_fail(&c->err, QZ_EUSAGE, "no prompt");
    if (st == QZ_OK) st = qz_api_give(result, NULL, sizeof *result, "quantz_answer", &c->err);
    if (st == QZ_OK) st = qz_fields_take(&qz_fields_run, options, &o, &c->err);
    if (st == QZ_OK) st = qz_fields_request(&qz_fields_run, &o, &r, &c->err);
    if (st == QZ_OK)
        st = qz_answer(&c->run, &m->answerer, &r,
                       &(qz_question){.prompt = prompt, .n = strlen(prompt), .fn = on_text, .arg = &l}, &g, &c->err);
    if (st == QZ_OK) {
        const quantz_answer a = {.prompt_tokens = g.n_prompt, .new_tokens = g.n_new, .stopped = g.stopped,
                                 .first_token_seconds = g.first_token_seconds,
                                 .decode_seconds = g.decode_seconds};
        st = qz_api_give(result, &a, sizeof a, "quantz_answer", &c->err);
    }
    return qz_api_end(c, st);
}

/* measured[0] is the source when there are two. */
static void figures(const qz_measured *measured, size_t n, quantz_evaluation *out) {
    const qz_measured *x = &measured[n - 1];
    const qz_score *s = &x->score;
    out->bytes = x->file_bytes;
    out->bits_per_weight = x->bits_per_weight;
    double *const none[] = {&out->perplexity,
                            &out->perplexity_low,
                            &out->perplexity_high,
                            &out->source_perplexity,
                            &out->perplexity_change_pct,
                            &out->perplexity_change_low_pct,
                            &out->perplexity_change_high_pct,
                            &out->kl,
                            &out->kl_low,
                            &out->kl_high,
                            &out->kl_median,
                            &out->kl_p99,
                            &out->kl_p999,
                            &out->kl_max,
                            &out->same_top_pct,
                            &out->rms_probability_pct,
                            &out->tasks_low_pct,
                            &out->tasks_high_pct,
                            &out->mcnemar_p};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) *none[i] = (double)NAN;
    if (x->scored) {
        out->scored = s->scored;
        out->perplexity = s->ppl.value, out->perplexity_low = s->ppl.low, out->perplexity_high = s->ppl.high;
        if (n > 1) out->source_perplexity = measured[0].score.ppl.value;
    }
    if (x->scored && s->paired) {
        out->perplexity_change_pct = s->delta_ppl_pct.value, out->perplexity_change_low_pct = s->delta_ppl_pct.low;
        out->perplexity_change_high_pct = s->delta_ppl_pct.high;
        out->kl = s->kl.value, out->kl_low = s->kl.low, out->kl_high = s->kl.high;
        out->kl_median = s->kl_median, out->kl_p99 = s->kl_p99, out->kl_p999 = s->kl_p999, out->kl_max = s->kl_max;
        out->same_top_pct = s->top1, out->rms_probability_pct = s->rms_dp;
    }
    if (x->tasks.n) {
        out->tasks = x->tasks.n, out->tasks_solved = x->tasks.solved;
        out->tasks_low_pct = x->tasks.low, out->tasks_high_pct = x->tasks.high;
        if (x->mcnemar >= 0) out->mcnemar_p = x->mcnemar;
    }
}

quantz_status quantz_evaluate(quantz_context *c, const char *model, const quantz_evaluate_options *options,
                              quantz_evaluation *result, char **json) {
    quantz_evaluate_options o;
    qz_request r = {.verb = "eval"};
    qz_measured *m = NULL;
    quantz_evaluation e = {0};
    qz_str text = {0};
    qz_eval_facts facts = {0};
    size_t n = 0;
    qz_status st = qz_api_begin(c);
    if (json) *json = NULL;
    if (st == QZ_OK) st = qz_api_need(model, "the model's path", &c->err);
    if (st == QZ_OK) st = qz_api_give(result, NULL, sizeof e, "quantz_evaluation", &c->err);
    if (st == QZ_OK) st = qz_fields_take(&qz_fields_evaluate, options, &o, &c->err);
    if (st == QZ_OK) st = qz_fields_request(&qz_fields_evaluate, &o, &r, &c->err);
    if (st == QZ_OK && r.text == NULL && r.tasks == NULL)
        st = qz_fail(&c->err, QZ_EUSAGE, "nothing to evaluate: give 'text', 'tasks' or both");
    if (st == QZ_OK && (m = qz_calloc_array(2, sizeof *m)) == NULL) st = qz_fail(&c->err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) {
        st = qz_evaluate(&c->run, &r, &(qz_compared){r.against, &model, 1}, m, &n, &facts, &c->err);
        memcpy(e.protocol, facts.set, sizeof e.protocol);
        memcpy(e.token_hash, facts.token_hash, sizeof facts.token_hash);
    }
    if (st == QZ_OK) {
        figures(m, n, &e);
        st = qz_api_give(result, &e, sizeof e, "quantz_evaluation", &c->err);
    }
    if (st == QZ_OK && json) st = qz_evaluate_json(m, n, &facts, &text, &c->err);
    if (st == QZ_OK && text.failed) st = qz_fail(&c->err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK && json) *json = text.ptr;
    else qz_str_release(&text);
    for (size_t i = 0; i < n; i++) qz_measured_release(&m[i]);
    qz_free(m);
    return qz_api_end(c, st);
}
