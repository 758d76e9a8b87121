#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "engine/generate.h"
#include "pipeline/evaluate.h"
#include "pipeline/verbs.h"
#include "text/chat.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STDIN_LIMIT = 16 << 20 };

static qz_status read_stdin(qz_str *out, qz_error *err) {
    char buf[4096];
    size_t n;
    while ((n = fread(buf, 1, sizeof buf, stdin)) > 0) {
        qz_str_append(out, buf, n);
        if (out->len > STDIN_LIMIT || out->failed) return qz_fail(err, QZ_EUSAGE, "prompt on standard input is too long: expected at most 16 MiB");
    }
    return QZ_OK;
}

static qz_status render(const qz_source *s, const qz_request *r, const qz_str *user, qz_str *out, qz_error *err) {
    json_t *messages = json_array();
    if (r->system) json_array_append_new(messages, json_pack("{s:s,s:s}", "role", "system", "content", r->system));
    json_array_append_new(messages, json_pack("{s:s,s:s%}", "role", "user", "content", user->ptr ? user->ptr : "", user->len));
    qz_status st = json_array_size(messages) == 1u + (r->system != NULL) && json_array_get(messages, 0)
                       ? qz_chat_apply(s->tokenizer, messages, true, out, err)
                       : qz_fail(err, QZ_EUSAGE, "the prompt is not valid UTF-8");
    json_decref(messages);
    return st;
}

/* Token ids of the request's prompt: chat template unless --raw or the model has none. Without tokenizer: numbers. */
static qz_status prompt_ids(qz_run *run, const qz_source *s, const qz_request *r, qz_ids *ids, qz_error *err) {
    qz_str user = {0}, text = {0};
    qz_status st = QZ_OK;
    if (r->prompt == NULL) return qz_fail(err, QZ_EUSAGE, "no prompt: give -p TEXT (or -p - to read standard input)");
    if (strcmp(r->prompt, "-") == 0) st = read_stdin(&user, err);
    else qz_str_puts(&user, r->prompt);
    if (st == QZ_OK && s->tokenizer == NULL) {
        qz_info(run, "model has no tokenizer: the prompt is read as token ids");
        for (char *p = user.ptr, *end; st == QZ_OK && p && p[strspn(p, " \t\n,")]; p = end) {
            p += strspn(p, " \t\n,");
            errno = 0;
            unsigned long id = strtoul(p, &end, 10);
            if (end == p || *p == '-' || errno || id > UINT32_MAX)
                st = qz_fail(err, QZ_EUSAGE, "bad prompt: expected token ids with blanks between, found '%.20s'; the model has no tokenizer", p);
            else st = qz_ids_push(ids, (uint32_t)id, err);
        }
    } else if (st == QZ_OK) {
        bool chat = !r->raw && qz_tokenizer_chat_template(s->tokenizer) != NULL;
        if (chat) st = render(s, r, &user, &text, err);
        const qz_str *t = chat ? &text : &user;
        if (st == QZ_OK)
            st = qz_tokenizer_encode(s->tokenizer, t->ptr ? t->ptr : "", t->len, QZ_ENCODE_PARSE_SPECIAL | (chat ? 0u : (unsigned)QZ_ENCODE_SPECIAL), ids, err);
    }
    qz_str_release(&user);
    qz_str_release(&text);
    return st;
}

typedef struct {
    const qz_source *s;
    const qz_request *r;
    qz_decode_stream stream;
    qz_str text;
    qz_error *err;
    qz_status st;
} printer;

static bool is_eos(const qz_config *c, uint32_t id) {
    for (size_t i = 0; i < c->n_eos; i++)
        if (c->eos_ids[i] == (int64_t)id) return true;
    return false;
}
static bool on_token(void *arg, uint32_t id) {
    printer *p = arg;
    size_t before = p->text.len;
    if (p->s->tokenizer == NULL) qz_str_printf(&p->text, "%s%u", before ? " " : "", id);
    else if (p->r->show_special || !is_eos(&p->s->model->config, id))
        p->st = qz_tokenizer_decode_next(p->s->tokenizer, &p->stream, id, !p->r->show_special, &p->text, p->err);
    if (!p->r->json && p->text.len > before) {
        (void)fwrite(p->text.ptr + before, 1, p->text.len - before, stdout);
        (void)fflush(stdout);
    }
    return p->st == QZ_OK && !p->text.failed;
}

static void print_json(const printer *p, const qz_generated *g) {
    qz_str s = {0};
    qz_str_puts(&s, "{\"text\":");
    qz_json_quote(&s, p->text.ptr ? p->text.ptr : "", p->text.len);
    qz_str_printf(&s, ",\"prompt_tokens\":%zu,\"new_tokens\":%zu,\"stopped\":%s,\"ttft_ms\":%.3f,\"gen_tps\":%.3f}\n", g->n_prompt, g->n_new,
                  g->stopped ? "true" : "false", 1e3 * g->first_token_seconds, g->n_new > 1 ? (double)(g->n_new - 1) / g->decode_seconds : 0.0);
    (void)fwrite(s.ptr, 1, s.len, stdout);
    qz_str_release(&s);
}

static qz_status generate(qz_run *run, const qz_source *s, const qz_request *r, qz_engine *e, const qz_ids *ids, qz_error *err) {
    const qz_config *c = &s->model->config;
    size_t ctx = qz_min_size((size_t)r->ctx, qz_max_size(c->max_position, 8));
    if (ids->n >= ctx) return qz_fail(err, QZ_EUSAGE, "prompt of %zu tokens does not fit the context of %zu; use a larger --ctx", ids->n, ctx);
    printer p = {.s = s, .r = r, .err = err};
    const qz_generate_options o = {.sampling = {.temperature = (float)r->temperature, .top_k = (size_t)r->top_k, .top_p = (float)r->top_p,
                                                .min_p = (float)r->min_p, .repetition_penalty = (float)r->repetition_penalty, .repetition_window = 64, .seed = r->seed},
                                   .max_new = qz_min_size((size_t)r->max_new, ctx - ids->n), .stop_ids = c->eos_ids, .n_stop = c->n_eos, .on_token = on_token, .arg = &p};
    qz_generated info = {0};
    qz_kv *kv = NULL;
    uint32_t *out = qz_alloc_array(o.max_new, sizeof *out);
    qz_status st = out ? qz_kv_open(e, 1, ids->n + o.max_new, &kv, err) : qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) st = qz_generate(e, kv, ids->ids, ids->n, &o, out, &info, err);
    if (st == QZ_OK) st = p.st;
    if (st == QZ_OK && r->json) print_json(&p, &info);
    else if (st == QZ_OK) (void)fputc('\n', stdout);
    if (st == QZ_OK)
        qz_info(run, "%zu prompt tokens, first token after %.1f ms; %zu new tokens, %.1f tokens/s%s", info.n_prompt, 1e3 * info.first_token_seconds, info.n_new,
                info.n_new > 1 ? (double)(info.n_new - 1) / info.decode_seconds : 0.0, info.stopped ? "" : "; stopped at the limit");
    qz_kv_free(kv);
    qz_free(out);
    qz_str_release(&p.text);
    return st;
}

qz_status qz_run_run_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_source s = {0};
    qz_engine *e = NULL;
    qz_ids ids = {0};
    qz_arith arith;
    qz_status st = qz_arith_parse(r->arith, &arith, err);
    if (st == QZ_OK) st = qz_source_open(run, r->operands[0], &s, err);
    if (st == QZ_OK) st = prompt_ids(run, &s, r, &ids, err);
    if (st == QZ_OK) st = qz_engine_open(run, s.model, &(qz_engine_options){.arith = arith}, &e, err);
    if (st == QZ_OK) st = generate(run, &s, r, e, &ids, err);
    qz_engine_free(e);
    qz_ids_release(&ids);
    qz_source_release(&s);
    return st;
}
