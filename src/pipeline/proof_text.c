/* The proof's short text: source and artifact in lock-step on a few dozen tokens, and the artifact's first greedy words. */
#include "base/size.h"
#include "engine/session.h"
#include "eval/score.h"
#include "pipeline/proof.h"
#include <string.h>

enum { PROOF_TOKENS = 64, GREEDY_TOKENS = 8 };
static const char proof_text[] = "The quick brown fox jumps over the lazy dog. The answer to the question is not far away, and the work of the day begins with "
                                 "a short list of things to do: read the order, check the address, send the parcel and write a note to the customer.";

static qz_status make_ids(const qz_source *s, qz_ids *ids, qz_error *err) {
    if (s->tokenizer != NULL)
        QZ_TRY(qz_tokenizer_encode(s->tokenizer, proof_text, strlen(proof_text), QZ_ENCODE_SPECIAL | QZ_ENCODE_PARSE_SPECIAL, ids, err));
    for (uint32_t i = 0; s->tokenizer == NULL && i < PROOF_TOKENS; i++)
        QZ_TRY(qz_ids_push(ids, (uint32_t)((7u * i * i + 3u * i + 1u) % s->model->config.vocab_size), err));
    ids->n = qz_min_size(ids->n, PROOF_TOKENS);
    return QZ_OK;
}

static qz_status greedy(const qz_source *s, qz_engine *e, const qz_ids *prompt, qz_produced *out, qz_error *err) {
    qz_session *session;
    uint32_t ids[GREEDY_TOKENS];
    qz_str text = {0};
    QZ_TRY(qz_session_open(e, 1, prompt->n + GREEDY_TOKENS, &session, err));
    qz_sequence q = {.prompt = prompt->ids, .n_prompt = prompt->n, .sampling = QZ_GREEDY, .max_new = GREEDY_TOKENS, .out = ids};
    qz_status st = qz_session_one(session, &q, err);
    for (size_t i = 0; st == QZ_OK && s->tokenizer == NULL && i < q.info.n_new; i++) qz_str_printf(&text, "%s%u", i ? " " : "", ids[i]);
    if (st == QZ_OK && s->tokenizer != NULL) st = qz_tokenizer_decode(s->tokenizer, ids, q.info.n_new, true, &text, err);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20) text.ptr[i] = ' ';
    if (st == QZ_OK && text.ptr) (void)snprintf(out->greedy, sizeof out->greedy, "%s", text.ptr);
    qz_str_release(&text);
    qz_session_free(session);
    return st;
}

qz_status qz_proof_text(qz_run *run, const qz_source *s, const qz_model *m, qz_produced *out, qz_error *err) {
    qz_ids ids = {0};
    qz_engine *source = NULL, *artifact = NULL;
    qz_status st = make_ids(s, &ids, err);
    if (st != QZ_OK || ids.n < 2) goto out;
    QZ_GOTO(qz_engine_open(run, s->model, NULL, &source, err));
    QZ_GOTO(qz_engine_open(run, m, NULL, &artifact, err));
    qz_eval_window w = {ids.ids, ids.n, 1};
    const qz_eval_set set = {.windows = &w, .n = 1, .scored = ids.n - 1, .longest = ids.n};
    qz_score score;
    QZ_GOTO(qz_score_run(run, source, &artifact, 1, &set, &score, NULL, err));
    out->self_kl = score.kl.value;
    out->self_tokens = ids.n - 1;
    if (!(out->self_kl >= 0 && out->self_kl < 1e6)) {
        st = qz_fail(err, QZ_EBUG, "proof failed: the artifact's output is not finite on a text of %zu tokens", ids.n);
        goto out;
    }
    st = greedy(s, artifact, &ids, out, err);
out:
    qz_engine_free(source);
    qz_engine_free(artifact);
    qz_ids_release(&ids);
    return st;
}
