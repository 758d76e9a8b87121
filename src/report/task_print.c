#include "report/task_print.h"
#include <string.h>

static void json_parts(qz_json_writer *w, const char *key, const qz_kind_score *at, size_t n) {
    qz_jw_open(w, key, '{');
    for (size_t k = 0; k < n; k++) {
        qz_jw_open(w, at[k].kind, '[');
        qz_jw_count(w, NULL, at[k].solved);
        qz_jw_count(w, NULL, at[k].n);
        qz_jw_close(w, ']');
    }
    qz_jw_close(w, '}');
}

static double share(size_t k, size_t n) { return (double)k / (double)n; }

static void json_choices(const qz_task_score *s, qz_json_writer *w) {
    if (s->choices) {
        qz_jw_count(w, "choices", s->choices);
        qz_jw_count(w, "acc_solved", s->acc);
        qz_jw_count(w, "acc_norm_solved", s->acc_norm);
        qz_jw_count(w, "acc_bytes_solved", s->acc_bytes);
    }
    if (s->continuations) {
        qz_jw_count(w, "continuations", s->continuations);
        qz_jw_count(w, "greedy_solved", s->greedy);
        qz_jw_real(w, "loglikelihood", s->loglikelihood / (double)s->continuations);
    }
    if (s->computed) {
        qz_jw_count(w, "choice_tokens", s->computed);
        qz_jw_count(w, "choice_tokens_unshared", s->whole);
    }
    if (s->cut) qz_jw_count(w, "choices_cut", s->cut);
}

static void json_pass_at(const qz_task_score *s, qz_json_writer *w) {
    if (s->samples == 0) return;
    qz_jw_count(w, "samples", s->samples);
    qz_jw_open(w, "pass_at", '{');
    for (size_t k = 1; k <= s->samples; k = k < s->samples && 2 * k > s->samples ? s->samples : 2 * k) {
        char name[24];
        (void)snprintf(name, sizeof name, "%zu", k);
        qz_jw_real(w, name, qz_task_pass_at(s, k));
    }
    qz_jw_close(w, '}');
}

void qz_tasks_json(const qz_measured *x, qz_json_writer *w) {
    const qz_task_score *s = &x->tasks;
    qz_jw_count(w, "tasks_solved", s->solved);
    qz_jw_count(w, "tasks", s->n);
    qz_jw_real(w, "tasks_low_pct", s->low);
    qz_jw_real(w, "tasks_high_pct", s->high);
    if (x->mcnemar >= 0) {
        qz_jw_count(w, "tasks_lost", x->lost);
        qz_jw_count(w, "tasks_won", x->won);
        qz_jw_count(w, "tasks_both", s->solved - x->won);
        qz_jw_count(w, "tasks_neither", s->n - s->solved - x->lost);
        qz_jw_real(w, "mcnemar_p", x->mcnemar);
    }
    if (s->json_n) {
        qz_jw_count(w, "json_valid", s->json_valid);
        qz_jw_count(w, "json_tasks", s->json_n);
        if (x->json_mcnemar >= 0) {
            qz_jw_count(w, "json_lost", x->json_lost);
            qz_jw_count(w, "json_won", x->json_won);
            qz_jw_real(w, "json_mcnemar_p", x->json_mcnemar);
        }
    }
    json_choices(s, w);
    json_pass_at(s, w);
    qz_jw_key(w, "task_pass"); /* in the order of the file */
    qz_str_putc(w->out, '"');
    for (size_t i = 0; i < s->n; i++) qz_str_putc(w->out, s->pass[i] ? '1' : '0');
    qz_str_putc(w->out, '"');
    w->comma = true;
    json_parts(w, "kinds", s->kinds, s->n_kinds);
    if (s->groups.n) json_parts(w, "groups", s->groups.at, s->groups.n);
    if (s->languages.n) json_parts(w, "languages", s->languages.at, s->languages.n);
    json_parts(w, "prompt_tokens", s->lengths.at, s->lengths.n);
}

static void print_parts(qz_str *out, const char *head, const qz_kind_score *at, size_t n) {
    if (head && n) qz_str_printf(out, "  %s\n", head);
    for (size_t k = 0; k < n; k++) {
        double low, high;
        qz_wilson(at[k].solved, at[k].n, &low, &high);
        qz_str_printf(out, "    %-14s %zu/%zu", at[k].kind, at[k].solved, at[k].n);
        if (head) qz_str_printf(out, "  [%.1f %%, %.1f %%]", low, high);
        qz_str_putc(out, '\n');
    }
}

static void print_choices(const qz_task_score *s, qz_str *out) {
    if (s->choices)
        qz_str_printf(out, "  multiple choice %zu: acc %.4f, acc_norm %.4f (by character), acc_bytes %.4f\n",
                      s->choices, share(s->acc, s->choices), share(s->acc_norm, s->choices),
                      share(s->acc_bytes, s->choices));
    if (s->continuations)
        qz_str_printf(out, "  continuations   %zu of %zu most likely, log-likelihood %.6f on average\n", s->greedy,
                      s->continuations, s->loglikelihood / (double)s->continuations);
    if (s->computed)
        qz_str_printf(out, "    computed       %zu tokens, shared prompts once (%zu one by one)\n", s->computed,
                      s->whole);
    if (s->cut)
        qz_str_printf(out, "    cut            %zu choices longer than the model's context, at the front\n", s->cut);
}

void qz_tasks_print(const qz_measured *x, qz_str *out) {
    const qz_task_score *s = &x->tasks;
    qz_str_printf(out, "  tasks           %zu of %zu  [%.2f %%, %.2f %%]", s->solved, s->n, s->low, s->high);
    if (x->mcnemar >= 0)
        qz_str_printf(out, "; against source: %zu lost, %zu won, McNemar p %.3f", x->lost, x->won, x->mcnemar);
    qz_str_putc(out, '\n');
    print_parts(out, NULL, s->kinds, s->n_kinds);
    if (s->json_n) qz_str_printf(out, "  valid JSON      %zu of %zu answers", s->json_valid, s->json_n);
    if (s->json_n && x->json_mcnemar >= 0)
        qz_str_printf(out, "; against source: %zu lost, %zu won, McNemar p %.3f", x->json_lost, x->json_won,
                      x->json_mcnemar);
    if (s->json_n) qz_str_putc(out, '\n');
    print_choices(s, out);
    if (s->samples) {
        qz_str_printf(out, "  sampled         %zu answers a task:", s->samples);
        for (size_t k = 1; k <= s->samples; k = k < s->samples && 2 * k > s->samples ? s->samples : 2 * k)
            qz_str_printf(out, "%s pass@%zu %.4f", k == 1 ? "" : ",", k, qz_task_pass_at(s, k));
        qz_str_puts(out, "; the lines above are of the first ones\n");
    }
    print_parts(out, "groups", s->groups.at, s->groups.n);
    print_parts(out, "languages", s->languages.at, s->languages.n);
    if (s->lengths.n > 1) print_parts(out, "tokens of the prompt", s->lengths.at, s->lengths.n);
}
