/* The public calls of tokenizer.h: encode (added tokens, normalizer, pre-tokenizer, model, template) and look-ups. */
#include "text/tokenizer.h"
#include <string.h>
#include "base/size.h"
#include "text/added.h"
#include "text/tokenizer_int.h"
#include "base/utf8.h"

void qz_ids_release(qz_ids *v) {
    qz_free(v->ids);
    *v = (qz_ids){0};
}

qz_status qz_ids_push(qz_ids *v, uint32_t id, qz_error *err) {
    if (v->n == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 64;
        uint32_t *p = qz_realloc_array(v->ids, cap, sizeof *p);
        if (!p) return qz_fail(err, QZ_EMEMORY, "out of memory for %zu token ids", cap);
        v->ids = p;
        v->cap = cap;
    }
    v->ids[v->n++] = id;
    return QZ_OK;
}

void qz_enc_release(qz_enc *e) {
    pcre2_match_data_free(e->md);
    pcre2_match_context_free(e->mc);
    pcre2_jit_stack_free(e->js);
    qz_free(e->cache);
    qz_free(e->sym);
    qz_free(e->heap);
    qz_free(e->link);
    qz_free(e->path);
    for (size_t i = 0; i < sizeof e->buf / sizeof e->buf[0]; i++) qz_str_release(&e->buf[i]);
    qz_str_release(&e->norm_a);
    qz_str_release(&e->norm_b);
    qz_str_release(&e->spell);
    *e = (qz_enc){0};
}

typedef struct { qz_enc *e; bool parse_special, at_start; } encode_arg;

static qz_status normal_piece(void *arg, const char *s, size_t n, size_t offset, uint32_t id, qz_error *err) {
    encode_arg *x = arg;
    if (id != QZ_NO_ID) return qz_ids_push(x->e->out, id, err);
    return qz_pretokenize(x->e, s, n, x->at_start && offset == 0, err);
}

static qz_status raw_piece(void *arg, const char *s, size_t n, size_t offset, uint32_t id, qz_error *err) {
    encode_arg *x = arg;
    if (id != QZ_NO_ID) return qz_ids_push(x->e->out, id, err);
    const char *t;
    size_t tn;
    QZ_TRY(qz_normalize(x->e, s, n, &t, &tn, err));
    x->at_start = offset == 0;
    return qz_added_split(&x->e->t->added[1], t, tn, x->parse_special, normal_piece, x, err);
}

qz_status qz_tokenizer_encode(const qz_tokenizer *t, const char *text, size_t n, unsigned flags, qz_ids *out,
                              qz_error *err) {
    qz_enc e = {.t = t, .out = out};
    qz_str fixed = {0};
    qz_status st = QZ_OK;
    if (n > UINT32_MAX / 4)
        return qz_fail(err, QZ_EUSAGE, "text too long to encode in one call: %zu bytes, at most %u", n, UINT32_MAX / 4);
    if (!qz_utf8_valid(text, n)) {
        qz_utf8_lossy(text, n, &fixed);
        if (fixed.failed) QZ_GOTO(qz_fail(err, QZ_EMEMORY, "out of memory while encoding a text"));
        text = fixed.ptr, n = fixed.len;
    }
    size_t slots = 64;
    while (slots < 16384 && slots * 8 < n) slots *= 2;
    e.cache = qz_calloc_array(slots, sizeof *e.cache);
    if (!e.cache) QZ_GOTO(qz_fail(err, QZ_EMEMORY, "out of memory while encoding a text"));
    e.cache_mask = slots - 1;
    for (size_t i = 0; (flags & QZ_ENCODE_SPECIAL) && i < t->n_before; i++)
        QZ_GOTO(qz_ids_push(out, t->before[i], err));
    encode_arg x = {.e = &e, .parse_special = (flags & QZ_ENCODE_PARSE_SPECIAL) != 0};
    QZ_GOTO(qz_added_split(&t->added[0], text, n, x.parse_special, raw_piece, &x, err));
    for (size_t i = 0; (flags & QZ_ENCODE_SPECIAL) && i < t->n_after; i++) QZ_GOTO(qz_ids_push(out, t->after[i], err));
out:
    qz_enc_release(&e);
    qz_str_release(&fixed);
    return st;
}

void qz_tokenizer_free(qz_tokenizer *t) {
    if (!t) return;
    for (size_t i = 0; i < QZ_TOK_MAX_STEPS; i++) {
        qz_regex_release(&t->norm[i].re);
        qz_regex_release(&t->pre[i].re);
        qz_regex_release(&t->dec[i].replace.re);
    }
    qz_vocab_release(&t->vocab);
    qz_free(t->merges.slots);
    qz_free(t->added[0].v);
    qz_free(t->added[1].v);
    qz_arena_release(&t->arena);
    qz_free(t);
}

size_t qz_tokenizer_vocab_size(const qz_tokenizer *t) { return t->vocab.n; }
size_t qz_tokenizer_empty_added(const qz_tokenizer *t) { return t->n_empty_added; }

int64_t qz_tokenizer_id(const qz_tokenizer *t, const char *token, size_t n) {
    uint32_t id = qz_vocab_find(&t->vocab, token, n);
    return id == QZ_NO_ID ? -1 : (int64_t)id;
}

const char *qz_tokenizer_token(const qz_tokenizer *t, uint32_t id, size_t *n) {
    if (id >= t->vocab.n || !t->vocab.text[id]) return NULL;
    if (n) *n = t->vocab.len[id];
    return t->vocab.text[id];
}

bool qz_tokenizer_is_special(const qz_tokenizer *t, uint32_t id) {
    return id < t->vocab.n && (t->vocab.flags[id] & QZ_TOKF_SPECIAL);
}
int64_t qz_tokenizer_bos(const qz_tokenizer *t) { return t->bos; }
int64_t qz_tokenizer_eos(const qz_tokenizer *t) { return t->eos; }
int64_t qz_tokenizer_pad(const qz_tokenizer *t) { return t->pad; }
int64_t qz_tokenizer_unk(const qz_tokenizer *t) { return t->unk_special; }
bool qz_tokenizer_adds_bos(const qz_tokenizer *t) {
    return t->n_before > 0 && t->bos >= 0 && t->before[0] == (uint64_t)t->bos;
}
const char *qz_tokenizer_chat_template(const qz_tokenizer *t) { return t->chat_template; }

const char *qz_tokenizer_special(const qz_tokenizer *t, const char *key) {
    const struct { const char *key, *text; } all[] = {
        {"bos_token", t->bos_text}, {"eos_token", t->eos_text}, {"pad_token", t->pad_text}, {"unk_token", t->unk_text}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(key, all[i].key) == 0) return all[i].text;
    return NULL;
}
