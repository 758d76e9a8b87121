#include "base/json.h"
#include "base/size.h"
#include "pipeline/lora.h"
#include "pipeline/results.h"
#include "text/chat.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static qz_status render(const qz_source *s, const qz_request *r, const qz_question *q, qz_str *out, qz_error *err) {
    if (q->conversation) return qz_chat_apply(s->tokenizer, q->conversation, out, err);
    json_t *messages = json_array();
    if (r->system) json_array_append_new(messages, json_pack("{s:s,s:s}", "role", "system", "content", r->system));
    json_array_append_new(messages, json_pack("{s:s,s:s%}", "role", "user", "content", q->prompt, q->n));
    qz_status st = json_array_size(messages) == 1u + (r->system != NULL) && json_array_get(messages, 0)
                       ? qz_chat_apply(s->tokenizer, &(qz_conversation){.messages = messages,
                                                                        .add_generation_prompt = true}, out, err)
                       : qz_fail(err, QZ_EUSAGE, "the prompt is not valid UTF-8");
    json_decref(messages);
    return st;
}

static qz_status read_ids(const char *text, qz_ids *ids, qz_error *err) {
    static const char blanks[] = " \t\n,";
    for (const char *p = text + strspn(text, blanks); *p; p += strspn(p, blanks)) {
        char *end;
        errno = 0;
        unsigned long id = strtoul(p, &end, 10);
        if (end == p || *p == '-' || errno || id > UINT32_MAX)
            return qz_fail(err, QZ_EUSAGE,
                           "bad prompt: expected token ids with blanks between, found '%.20s'; the model has no "
                           "tokenizer",
                           p);
        QZ_TRY(qz_ids_push(ids, (uint32_t)id, err));
        p = end;
    }
    return QZ_OK;
}

/* Token ids of the prompt: chat template unless r->raw or the model has none. Without tokenizer: numbers. */
static qz_status prompt_ids(qz_run *run, const qz_source *s, const qz_request *r, const qz_question *q, qz_ids *ids,
                            qz_error *err) {
    const char *prompt = q->prompt;
    size_t n = q->n;
    qz_str text = {0};
    if (s->tokenizer == NULL && q->conversation)
        return qz_fail(err, QZ_EUSAGE,
                       "model '%s' has no tokenizer: a conversation cannot be rendered; give token ids as the prompt",
                       s->name);
    if (s->tokenizer == NULL) {
        qz_info(run, "model has no tokenizer: the prompt is read as token ids");
        return read_ids(prompt, ids, err);
    }
    const bool template = qz_tokenizer_chat_template(s->tokenizer) != NULL;
    bool chat = q->conversation || (!r->raw && template);
    if (!chat && !r->raw)
        qz_info_once(run, "note: %s: no chat template: the prompt is continued as it is, as --raw asks for", s->name);
    qz_status st = chat ? render(s, r, q, &text, err) : QZ_OK;
    if (chat) prompt = text.ptr ? text.ptr : "", n = text.len;
    if (st == QZ_OK)
        st = qz_tokenizer_encode(s->tokenizer, prompt, n,
                                 QZ_ENCODE_PARSE_SPECIAL | (chat ? 0u : (unsigned)QZ_ENCODE_SPECIAL), ids, err);
    qz_str_release(&text);
    return st;
}

typedef struct {
    const qz_source *s;
    bool show_special;
    qz_decode_stream stream;
    qz_str piece;
    size_t n;                  /* tokens so far */
    qz_text_fn fn;
    void *arg;
    qz_error *err;
    qz_status st;
} speaker;

static bool is_eos(const qz_config *c, uint32_t id) {
    for (size_t i = 0; i < c->n_eos; i++)
        if (c->eos_ids[i] == (int64_t)id) return true;
    return false;
}
static bool on_token(void *arg, uint32_t id) {
    speaker *p = arg;
    qz_str_clear(&p->piece);
    if (p->s->tokenizer == NULL) qz_str_printf(&p->piece, "%s%u", p->n ? " " : "", id);
    else if (p->show_special || !is_eos(&p->s->model->config, id))
        p->st = qz_tokenizer_decode_next(p->s->tokenizer, &p->stream, id, !p->show_special, &p->piece, p->err);
    p->n++;
    if (p->piece.failed) p->st = qz_fail(p->err, QZ_EMEMORY, "out of memory");
    return p->st == QZ_OK && (p->piece.len == 0 || p->fn(p->arg, p->piece.ptr, p->piece.len));
}

static qz_status generate(const qz_source *s, const qz_request *r, qz_engine *e, const qz_ids *ids, speaker *p,
                          qz_generated *info, qz_error *err) {
    const qz_config *c = &s->model->config;
    size_t ctx = qz_min_size((size_t)r->ctx, qz_max_size(c->max_position, 8));
    if (ids->n >= ctx && ctx < r->ctx)
        return qz_fail(err, QZ_EUSAGE,
                       "prompt of %zu tokens does not fit the model's own context of %zu (max_position_embeddings, "
                       "model '%s'); shorten the prompt",
                       ids->n, ctx, s->name);
    if (ids->n >= ctx)
        return qz_fail(err, QZ_EUSAGE,
                       "prompt of %zu tokens does not fit the context of %zu; use a larger --ctx (the model's own is "
                       "%llu)",
                       ids->n, ctx, (unsigned long long)c->max_position);
    qz_sequence q = {.prompt = ids->ids, .n_prompt = ids->n, .max_new = qz_min_size((size_t)r->max_new, ctx - ids->n),
                     .stop_ids = c->eos_ids, .n_stop = c->n_eos,
                     .on_token = on_token, .arg = p,
                     .sampling = {.temperature = (float)r->temperature, .top_k = (size_t)r->top_k,
                                  .top_p = (float)r->top_p, .min_p = (float)r->min_p,
                                  .repetition_penalty = (float)r->repetition_penalty, .repetition_window = 64,
                                  .seed = r->seed}};
    qz_session *session = NULL;
    q.out = qz_alloc_array(q.max_new, sizeof *q.out);
    qz_status st = q.out ? qz_session_open(e, 1, ids->n + q.max_new, &session, err)
                         : qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) st = qz_session_one(session, &q, err);
    if (st == QZ_OK) st = p->st;
    *info = q.info;
    qz_session_free(session);
    qz_free(q.out);
    return st;
}

static qz_status open_engine(qz_run *run, qz_answerer *a, const qz_request *r, qz_arith arith, qz_error *err) {
    qz_loras l;
    qz_source base = {0};
    if (r->base && r->adapters.n == 0)
        return qz_fail(err, QZ_EUSAGE, "--base is for --lora: the float checkpoint of the artifact");
    QZ_TRY(qz_loras_open(run, r, &l, err));
    qz_status st = r->base ? qz_source_open(run, r->base, &base, err) : QZ_OK;
    if (st == QZ_OK) st = qz_loras_beside(run, &l, a->source, r->base ? &base : NULL, &a->lora, err);
    if (st == QZ_OK)
        st = qz_engine_open(run, a->source->model, &(qz_engine_options){.arith = a->arith = arith, .lora = a->lora},
                            &a->engine, err);
    qz_source_release(&base);
    qz_loras_release(&l);
    return st;
}

qz_status qz_answer(qz_run *run, qz_answerer *a, const qz_request *r, const qz_question *q, qz_generated *info,
                    qz_error *err) {
    qz_ids ids = {0};
    qz_arith arith;
    speaker p = {.s = a->source, .show_special = r->show_special, .fn = q->fn, .arg = q->arg, .err = err};
    *info = (qz_generated){0};
    QZ_TRY(qz_arith_parse(r->arith, &arith, err));
    qz_status st = prompt_ids(run, a->source, r, q, &ids, err);
    if (a->arith != arith) qz_answerer_release(a);
    if (st == QZ_OK && a->engine == NULL) st = open_engine(run, a, r, arith, err);
    if (st == QZ_OK) st = generate(a->source, r, a->engine, &ids, &p, info, err);
    qz_str_release(&p.piece);
    qz_ids_release(&ids);
    return st;
}

void qz_answerer_release(qz_answerer *a) {
    qz_engine_free(a->engine);
    a->engine = NULL;
    qz_lora_free(a->lora);
    a->lora = NULL;
}
