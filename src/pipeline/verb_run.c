#include "model/leftovers.h"
#include "base/json.h"
#include "pipeline/results.h"
#include "pipeline/verbs.h"
#include "base/json_write.h"
#include "text/text_file.h"
#include <stdio.h>
#include <string.h>

enum { STDIN_LIMIT = 16 << 20 };

static qz_status read_prompt(const char *prompt, qz_str *out, qz_error *err) {
    char buf[4096];
    size_t n;
    if (prompt == NULL)
        return qz_fail(err, QZ_EUSAGE, "no prompt: give -p TEXT (or -p - to read standard input), or --chat FILE");
    qz_str_puts(out, "");
    if (strcmp(prompt, "-") != 0) qz_str_puts(out, prompt);
    else
        while ((n = fread(buf, 1, sizeof buf, stdin)) > 0) {
            qz_str_append(out, buf, n);
            if (out->len > STDIN_LIMIT)
                return qz_fail(err, QZ_EUSAGE, "prompt on standard input is too long: expected at most 16 MiB");
        }
    if (out->failed) return qz_fail(err, QZ_EMEMORY, "out of memory");
    return qz_text_check(strcmp(prompt, "-") == 0 ? "(standard input)" : "(option -p)", out->ptr, out->len, err);
}

/* The prompt, or the conversation of --chat, which says everything itself. */
static qz_status read_question(qz_run *run, const qz_request *r, qz_str *prompt, qz_conversation *c, qz_question *q,
                               qz_error *err) {
    if (r->chat == NULL) {
        QZ_TRY(read_prompt(r->prompt, prompt, err));
        q->prompt = prompt->ptr;
        q->n = prompt->len;
        return QZ_OK;
    }
    if (r->prompt || r->system || r->raw)
        return qz_fail(err, QZ_EUSAGE,
                       "--chat and --%s contradict each other: the conversation in '%s' is all that the template gets",
                       r->prompt   ? "prompt"
                       : r->system ? "system"
                                   : "raw",
                       r->chat);
    QZ_TRY(qz_conversation_read(r->chat, c, err));
    if (c->left_out)
        qz_warn(run, "%s: %zu parts of messages are no text and left out: %s", r->chat, c->left_out, c->left_names);
    q->conversation = c;
    return QZ_OK;
}

typedef struct {
    bool json;
    qz_str text;               /* json: the whole answer */
} printer;

static bool on_text(void *arg, const char *text, size_t n) {
    printer *p = arg;
    if (p->json) qz_str_append(&p->text, text, n);
    else {
        (void)fwrite(text, 1, n, stdout);
        (void)fflush(stdout);
    }
    return !p->text.failed;
}

static void print_json(const printer *p, const qz_model *m, const qz_generated *g) {
    qz_str s = {0};
    qz_json_writer w;
    qz_jw_begin(&w, &s);
    qz_jw_key(&w, "text");
    qz_json_quote(&s, p->text.ptr ? p->text.ptr : "", p->text.len); /* may hold zero bytes */
    qz_jw_count(&w, "prompt_tokens", g->n_prompt);
    qz_jw_count(&w, "new_tokens", g->n_new);
    qz_jw_bool(&w, "stopped", g->stopped);
    qz_jw_real(&w, "ttft_ms", 1e3 * g->first_token_seconds);
    qz_jw_real(&w, "gen_tps", g->n_new > 1 ? (double)(g->n_new - 1) / g->decode_seconds : 0.0);
    qz_unread_json(&m->config.keys, "", &w);
    qz_jw_end(&w);
    (void)fwrite(s.ptr, 1, s.len, stdout);
    qz_str_release(&s);
}

qz_status qz_run_run_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_source s = {0};
    qz_answerer a = {.source = &s};
    qz_str prompt = {0};
    printer p = {.json = r->json};
    qz_generated g;
    qz_arith arith;
    qz_status st = qz_arith_parse(r->arith, &arith, err); /* before the model is opened */
    if (st == QZ_OK) st = qz_source_open(run, r->operands[0], &s, err);
    qz_conversation conversation = {0};
    qz_question question = {.fn = on_text, .arg = &p};
    if (st == QZ_OK) st = read_question(run, r, &prompt, &conversation, &question, err);
    if (st == QZ_OK) st = qz_answer(run, &a, r, &question, &g, err);
    if (st == QZ_OK) {
        if (r->json) print_json(&p, s.model, &g);
        else (void)fputc('\n', stdout);
        qz_info(run, "%zu prompt tokens, first token after %.1f ms; %zu new tokens, %.1f tokens/s%s", g.n_prompt,
                1e3 * g.first_token_seconds, g.n_new, g.n_new > 1 ? (double)(g.n_new - 1) / g.decode_seconds : 0.0,
                g.stopped ? "" : "; stopped at the limit");
    }
    qz_answerer_release(&a);
    qz_conversation_release(&conversation);
    qz_str_release(&prompt);
    qz_str_release(&p.text);
    qz_source_release(&s);
    return st;
}
