/* The proof's short text: source and artifact in lock-step on a few dozen tokens, and the artifact's first greedy
 * words. The text is of the user's own data where there are any: an artifact that is excellent on what the model was
 * made for looks broken on a text that is foreign to it. */
#include "artifacts/loose.h"
#include "base/size.h"
#include "engine/session.h"
#include "eval/score.h"
#include "produce/proof.h"
#include "text/chat.h"
#include <string.h>

/* Of a large model a few words say as much, and cost as much: each greedy token reads all weights. */
#define LARGE ((uint64_t)1 << 28)
enum { PROOF_TOKENS = 64, PROOF_LARGE = 16, GREEDY_TOKENS = 8, GREEDY_LARGE = 2, ENOUGH = 16, SAMPLES = 8 };
static const char question[] = "What has to be done before a parcel can be sent?";
static const char answer[] =
    "Read the order, check the address, put the goods into a box with enough paper, close it, write the name of the "
    "customer "
    "on the label, and bring it to the post office before six in the evening. Then write a short note to the customer.";

const char qz_proof_note[] = "no quality figure, but that the file works ('quantz eval' measures)";

static bool large(const qz_source *s) { return qz_config_parameters(&s->model->config) >= LARGE; }

typedef struct { qz_ids ids; size_t prompt; } sample; /* prompt: tokens before the greedy words */

/* The longest of the data's first samples. False: none is long enough, or the file cannot be read any more. */
static bool from_data(const qz_source *s, const char *path, sample *x) {
    qz_dataset d = {0};
    qz_ids one = {0};
    if (path == NULL) return false;
    if (qz_dataset_load(path, s->tokenizer, &(qz_dataset_options){.max_samples = SAMPLES}, &d, &(qz_error){0}) != QZ_OK)
        return false;
    for (size_t i = 0; i < d.n && x->ids.n < PROOF_TOKENS; i++) {
        one.n = 0;
        bool usable = qz_sample_encode(s->tokenizer, &d.samples[i], false, &one, &(qz_error){0}) == QZ_OK &&
                      one.n > x->ids.n;
        for (size_t k = 0; k < one.n && usable; k++) usable = one.ids[k] < s->model->config.vocab_size;
        if (!usable) continue;
        const qz_ids shorter = x->ids;
        x->ids = one;
        one = shorter;
    }
    qz_ids_release(&one);
    qz_dataset_release(&d);
    const bool found = x->ids.n >= ENOUGH;
    x->ids.n = found ? qz_min_size(x->ids.n, PROOF_TOKENS) : 0;
    x->prompt = x->ids.n / 2;
    return found;
}

/* Question and answer as the model's chat template has them. False: it has none, or it refuses them. */
static bool from_template(const qz_source *s, sample *x) {
    qz_str text = {0};
    if (s->tokenizer == NULL || qz_tokenizer_chat_template(s->tokenizer) == NULL) return false;
    bool ok = true;
    for (int whole = 0; whole < 2 && ok; whole++) {
        json_t *m = json_array();
        json_array_append_new(m, json_pack("{s:s,s:s}", "role", "user", "content", question));
        if (whole) json_array_append_new(m, json_pack("{s:s,s:s}", "role", "assistant", "content", answer));
        qz_str_clear(&text);
        x->ids.n = 0;
        ok = json_array_size(m) == 1u + (size_t)whole &&
             qz_chat_apply(s->tokenizer, &(qz_conversation){.messages = m, .add_generation_prompt = !whole}, &text,
                           &(qz_error){0}) == QZ_OK &&
             qz_tokenizer_encode(s->tokenizer, text.ptr ? text.ptr : "", text.len, QZ_ENCODE_PARSE_SPECIAL, &x->ids,
                                 &(qz_error){0}) == QZ_OK;
        json_decref(m);
        if (!whole) x->prompt = x->ids.n;
    }
    qz_str_release(&text);
    ok = ok && x->ids.n > x->prompt && x->prompt > 0;
    x->ids.n = ok ? qz_min_size(x->ids.n, x->prompt + PROOF_TOKENS) : 0;
    return ok;
}

/* Plain text, or numbers where ids are all there is. */
static qz_status from_nothing(const qz_source *s, sample *x, qz_error *err) {
    if (s->tokenizer != NULL)
        QZ_TRY(qz_tokenizer_encode(s->tokenizer, answer, strlen(answer), QZ_ENCODE_SPECIAL | QZ_ENCODE_PARSE_SPECIAL,
                                   &x->ids, err));
    for (uint32_t i = 0; s->tokenizer == NULL && i < PROOF_TOKENS; i++)
        QZ_TRY(qz_ids_push(&x->ids, (uint32_t)((7u * i * i + 3u * i + 1u) % s->model->config.vocab_size), err));
    x->ids.n = qz_min_size(x->ids.n, PROOF_TOKENS);
    x->prompt = x->ids.n;
    return QZ_OK;
}

static qz_status make_sample(const qz_source *s, const char *data, sample *x, qz_produced *out, qz_error *err) {
    if (from_data(s, data, x)) (void)snprintf(out->proof_text, sizeof out->proof_text, "of '%s'", data);
    else if (from_template(s, x))
        (void)snprintf(out->proof_text, sizeof out->proof_text,
                       "of a bundled text (\"%s\") through the chat template, foreign to most models", question);
    else if (s->tokenizer) {
        (void)snprintf(out->proof_text, sizeof out->proof_text,
                       "of a bundled text (\"%.28s …\"), foreign to most models", answer);
        return from_nothing(s, x, err);
    } else {
        (void)snprintf(out->proof_text, sizeof out->proof_text, "that are made-up ids, since there is no tokenizer");
        return from_nothing(s, x, err);
    }
    return QZ_OK;
}

void qz_proof_not_run(const qz_source *s, qz_produced *out) {
    out->not_run = true;
    (void)snprintf(out->proof_text, sizeof out->proof_text, "family '%s' is not run here: no text was run",
                   s->model->loose->family);
}

void qz_proof_line(const qz_produced *p, qz_str *s) {
    if (p->not_run) qz_str_printf(s, "  proof: every tensor decodes to what was meant; %s\n", p->proof_text);
    if (p->self_kl < 0) return;
    qz_str_printf(s, "  proof: every tensor decodes to what was meant; KL %.5f on %zu tokens %s: %s; greedy: \"%s\"\n",
                  p->self_kl, p->self_tokens, p->proof_text, qz_proof_note, p->greedy);
}

static qz_status greedy(const qz_source *s, qz_engine *e, const qz_ids *prompt, qz_produced *out, qz_error *err) {
    qz_session *session;
    uint32_t ids[GREEDY_TOKENS];
    qz_str text = {0};
    const size_t most = large(s) ? GREEDY_LARGE : GREEDY_TOKENS;
    QZ_TRY(qz_session_open(e, 1, prompt->n + most, &session, err));
    qz_sequence q = {.prompt = prompt->ids, .n_prompt = prompt->n, .sampling = QZ_GREEDY, .max_new = most,
                     .out = ids};
    qz_status st = qz_session_one(session, &q, err);
    for (size_t i = 0; st == QZ_OK && s->tokenizer == NULL && i < q.info.n_new; i++)
        qz_str_printf(&text, "%s%u", i ? " " : "", ids[i]);
    if (st == QZ_OK && s->tokenizer != NULL)
        st = qz_tokenizer_decode(s->tokenizer, ids, q.info.n_new, true, &text, err);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20) text.ptr[i] = ' ';
    if (st == QZ_OK && text.ptr) (void)snprintf(out->greedy, sizeof out->greedy, "%s", text.ptr);
    qz_str_release(&text);
    qz_session_free(session);
    return st;
}

qz_status qz_proof_text(qz_run *run, const qz_source *s, const qz_model *m, const char *data, qz_produced *out,
                        qz_error *err) {
    sample x = {0};
    qz_engine *source = NULL, *artifact = NULL;
    qz_status st = make_sample(s, data, &x, out, err);
    if (st != QZ_OK || x.ids.n < 2) goto out;
    if (large(s) && x.ids.n > PROOF_LARGE) { /* its end: what a template puts before it says little */
        memmove(x.ids.ids, x.ids.ids + x.ids.n - PROOF_LARGE, PROOF_LARGE * sizeof *x.ids.ids);
        x.ids.n = x.prompt = PROOF_LARGE;
    }
    const qz_engine_options o = {.forget = true};
    QZ_GOTO(qz_engine_open(run, s->model, &o, &source, err));
    QZ_GOTO(qz_engine_open(run, m, &o, &artifact, err));
    qz_eval_window w = {x.ids.ids, x.ids.n, 1};
    const qz_eval_set set = {.windows = &w, .n = 1, .scored = x.ids.n - 1, .longest = x.ids.n};
    qz_score score = {0};
    QZ_GOTO(qz_score_run(run, &(qz_score_models){source, &artifact, 1}, &set, &score, NULL, err));
    out->self_kl = score.kl.value;
    qz_score_release(&score);
    out->self_tokens = x.ids.n - 1;
    if (!(out->self_kl >= 0 && out->self_kl < 1e6)) {
        st = qz_fail(err, QZ_ENUMERIC,
                     "proof failed: source and artifact cannot be compared on a text of %zu tokens, logits are not "
                     "finite in float32: weights, norms or scales of '%s' are too large; look at the source with "
                     "'quantz eval'",
                     x.ids.n, s->model->path);
        goto out;
    }
    x.ids.n = x.prompt;
    st = greedy(s, artifact, &x.ids, out, err);
out:
    qz_engine_free(source);
    qz_engine_free(artifact);
    qz_ids_release(&x.ids);
    return st;
}
