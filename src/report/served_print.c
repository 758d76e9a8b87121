#include "report/served_print.h"
#include <math.h>

static void print_text(const qz_served *s, qz_str *out) {
    qz_str_printf(out, "  KL to our run   at least %.6f nats [%.6f, %.6f] over %zu positions of %zu windows; %s\n",
                  s->kl,
                  s->kl_low, s->kl_high, s->positions, s->windows, s->set);
    qz_str_printf(out, "                  a bound from below: the server tells its %zu likeliest tokens, %.4f %% of "
                  "our "
                       "probability lies outside them\n", s->top, 100 * s->outside);
    qz_str_printf(out, "  same top token  %.2f %%\n", s->top1);
    if (s->against)
        qz_str_printf(out, "  to the source   at least %.6f nats as served; %.6f in our run on the same positions\n",
                      s->kl_source, s->kl_ours);
    if (s->not_told) qz_str_printf(out, "  echo            %zu tokens are left out of it: not measured\n", s->not_told);
    if (s->late) qz_str_puts(out, "  echo            one place late, read so; its token_logprobs are not used\n");
    if (s->has_nll)
        qz_str_printf(out, "  perplexity      %.4f as served, %.4f in our run (%+.4f %%)\n", exp(s->nll_served),
                      exp(s->nll_ours), 100 * (exp(s->nll_served - s->nll_ours) - 1));
}
static void print_speed(const qz_served *s, qz_str *out) {
    if (s->n_speed)
        qz_str_puts(out, "  at once  requests  first text ms p50      p95   answer ms p50      p95  tokens/s\n");
    for (size_t i = 0; i < s->n_speed; i++) {
        const qz_served_speed *v = &s->speed[i];
        qz_str_printf(out, "  %7zu  %8zu  %17.1f  %7.1f  %14.1f  %7.1f  %8.1f", v->width, v->requests,
                      1e3 * v->ttft_p50, 1e3 * v->ttft_p95, 1e3 * v->p50, 1e3 * v->p95, v->tokens_s);
        if (v->failed) qz_str_printf(out, "  %zu failed", v->failed);
        qz_str_putc(out, '\n');
    }
}

void qz_served_print(const qz_served *s, qz_str *out) {
    qz_str_printf(out, "%s, as %s serves it", s->artifact, s->runtime);
    if (s->model[0]) qz_str_printf(out, " (model '%s', engine %s%s%s)", s->model, s->engine[0] ? s->engine : "not told",
                                   s->version[0] ? ", " : "", s->version);
    qz_str_putc(out, '\n');
    if (s->how) {
        qz_str_printf(out, "  the server has %s\n", s->how);
        if (s->probes) qz_str_printf(out, "  tokenizer       %zu texts give the artifact's own tokens\n", s->probes);
        else qz_str_puts(out, "  tokenizer       not told by the server: not compared\n");
    }
    if (s->positions) print_text(s, out);
    if (s->has_ppl)
        qz_str_printf(out, "  perplexity      %.4f (standard error %.4f) there; here %.4f exact (%+.3f %%), %.4f in "
                      "runtime arithmetic "
                           "(%+.3f %%); %s\n", s->ppl_served, s->ppl_se, s->ppl_ours,
                      100 * (s->ppl_served / s->ppl_ours - 1), s->ppl_runtime,
                      100 * (s->ppl_served / s->ppl_runtime - 1), s->set);
    if (s->tasks)
        qz_str_printf(out, "  tasks           %zu of %zu  [%.2f %%, %.2f %%] as served, %zu in our run: %zu lost, "
                      "%zu won, "
                           "McNemar p %.3f; %zu answers the same\n", s->solved, s->tasks, s->low, s->high,
                      s->solved_ours, s->lost, s->won, s->mcnemar, s->same);
    if (s->left_out)
        qz_str_printf(out, "  left out        %zu tasks that need log-likelihoods of choices\n", s->left_out);
    print_speed(s, out);
    if (s->resumed) qz_str_printf(out, "  continued       %zu windows and answers stood in the journal\n", s->resumed);
    qz_str_printf(out, "  %s  %s%s\n", s->verified ? "verified      " : "not verified  ", s->verified_with,
                  s->stored ? "; stored in the manifest" : "");
}

qz_status qz_served_json(const qz_served *s, qz_str *out, qz_error *err) {
    qz_json_writer w;
    qz_jw_begin(&w, out);
    qz_jw_text(&w, "artifact", s->artifact);
    qz_jw_text(&w, "runtime", s->runtime);
    qz_jw_text(&w, "served_model", s->model[0] ? s->model : NULL);
    qz_jw_text(&w, "engine", s->engine[0] ? s->engine : NULL);
    qz_jw_text(&w, "engine_version", s->version[0] ? s->version : NULL);
    qz_jw_text(&w, "shows", s->how);
    qz_jw_count(&w, "tokenizer_probes", s->probes);
    if (s->set[0]) qz_jw_text(&w, "protocol", s->set);
    if (s->token_hash[0]) qz_jw_text(&w, "token_hash", s->token_hash);
    if (s->positions) {
        const struct { const char *key; double v; } f[] = {
            {"kl_at_least", s->kl}, {"kl_low", s->kl_low}, {"kl_high", s->kl_high},
            {"outside_share", s->outside}, {"top1_pct", s->top1}};
        qz_jw_count(&w, "positions", s->positions);
        qz_jw_count(&w, "windows", s->windows);
        qz_jw_count(&w, "top_tokens", s->top);
        for (size_t i = 0; i < sizeof f / sizeof f[0]; i++) qz_jw_real(&w, f[i].key, f[i].v);
        if (s->against) qz_jw_real(&w, "source_kl_at_least", s->kl_source);
        if (s->against) qz_jw_real(&w, "source_kl_ours", s->kl_ours);
        if (s->not_told) qz_jw_count(&w, "tokens_not_told", s->not_told);
        if (s->late) qz_jw_bool(&w, "echo_one_place_late", true);
        if (s->has_nll) qz_jw_real(&w, "served_ppl", exp(s->nll_served));
        if (s->has_nll) qz_jw_real(&w, "our_ppl", exp(s->nll_ours));
    }
    if (s->has_ppl) {
        qz_jw_real(&w, "served_ppl", s->ppl_served);
        qz_jw_real(&w, "served_ppl_se", s->ppl_se);
        qz_jw_real(&w, "our_ppl", s->ppl_ours);
        qz_jw_real(&w, "our_runtime_ppl", s->ppl_runtime);
    }
    if (s->tasks) {
        const struct { const char *key; size_t v; } f[] = {
            {"tasks", s->tasks}, {"tasks_left_out", s->left_out}, {"tasks_solved", s->solved},
            {"our_tasks_solved", s->solved_ours}, {"tasks_lost", s->lost}, {"tasks_won", s->won},
            {"same_answers", s->same}};
        for (size_t i = 0; i < sizeof f / sizeof f[0]; i++) qz_jw_count(&w, f[i].key, f[i].v);
        qz_jw_real(&w, "tasks_low_pct", s->low);
        qz_jw_real(&w, "tasks_high_pct", s->high);
        qz_jw_real(&w, "mcnemar_p", s->mcnemar);
    }
    qz_jw_open(&w, "speed", '[');
    for (size_t i = 0; i < s->n_speed; i++) {
        const qz_served_speed *v = &s->speed[i];
        const struct { const char *key; double v; } f[] = {
            {"ttft_p50_s", v->ttft_p50}, {"ttft_p95_s", v->ttft_p95}, {"answer_p50_s", v->p50},
            {"answer_p95_s", v->p95}, {"tokens_s", v->tokens_s}};
        qz_jw_row(&w);
        qz_jw_count(&w, "concurrency", v->width);
        qz_jw_count(&w, "requests", v->requests);
        qz_jw_count(&w, "failed", v->failed);
        qz_jw_count(&w, "tokens", v->tokens);
        for (size_t k = 0; k < sizeof f / sizeof f[0]; k++) qz_jw_real(&w, f[k].key, f[k].v);
        qz_jw_close(&w, '}');
    }
    qz_jw_close(&w, ']');
    qz_jw_count(&w, "resumed", s->resumed);
    qz_jw_bool(&w, "verified", s->verified);
    qz_jw_text(&w, "verified_with", s->verified ? s->verified_with : NULL);
    qz_jw_bool(&w, "stored", s->stored);
    qz_jw_end(&w);
    return out->failed ? qz_fail(err, QZ_EMEMORY, "out of memory") : QZ_OK;
}
