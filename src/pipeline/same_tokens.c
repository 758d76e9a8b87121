#include "pipeline/same_tokens.h"
#include "base/size.h"
#include <stdio.h>
#include <string.h>

/* What to do instead: bits per byte does not depend on how a text is cut into tokens. */
#define ADVICE "perplexity and KL need the same tokens; evaluate each by itself and compare bits per byte"

/* 'text' of an id as it is stored, for one line of an error; bytes that would break the line are left out. */
static const char *token_text(const qz_source *s, uint32_t id, char buf[48]) {
    size_t n = 0, at = 0;
    const char *t = s->tokenizer ? qz_tokenizer_token(s->tokenizer, id, &n) : NULL;
    if (t == NULL) return "not in the vocabulary";
    buf[at++] = '\'';
    for (size_t i = 0; i < n && at < 40; i++)
        if ((unsigned char)t[i] >= ' ' && t[i] != 127) buf[at++] = t[i];
    buf[at++] = '\'';
    buf[at] = 0;
    return buf;
}

/* The first place where two sets of windows part. Targets that only one of them has count too. */
static qz_status parted(const qz_source *a, const qz_source *b, const qz_eval_set *x, const qz_eval_set *y,
                        qz_error *err) {
    char at[48], bt[48];
    const char *part = qz_tokenizer_other_part(a->tokenizer, b->tokenizer);
    for (size_t w = 0; w < qz_min_size(x->n, y->n); w++) {
        const qz_eval_window *p = &x->windows[w], *q = &y->windows[w];
        for (size_t i = 0; i < qz_min_size(p->n, q->n); i++)
            if (p->ids[i] != q->ids[i])
                return qz_fail(err, QZ_EUSAGE,
                               "token streams differ: window %zu, token %zu is %s (id %u) in '%s' and %s (id %u) in "
                               "'%s'; what differs: %s; " ADVICE,
                               w + 1, i + 1, token_text(a, p->ids[i], at), p->ids[i], a->model->path,
                               token_text(b, q->ids[i], bt), q->ids[i], b->model->path, part);
        if (p->n != q->n)
            return qz_fail(
                err, QZ_EUSAGE,
                "token streams differ: window %zu has %zu tokens in '%s' and %zu in '%s'; what differs: %s; " ADVICE,
                w + 1, p->n, a->model->path, q->n, b->model->path, part);
    }
    return qz_fail(err, QZ_EUSAGE, "token streams differ: %zu windows in '%s', %zu in '%s'; what differs: %s; " ADVICE,
                   x->n, a->model->path, y->n, b->model->path, part);
}

qz_status qz_same_tokens(const qz_source *first, const qz_source *other, const qz_dataset *d, const qz_eval_options *o,
                         const qz_eval_set *set, qz_error *err) {
    const qz_config *a = &first->model->config, *b = &other->model->config;
    char at[48], bt[48];
    uint32_t id;
    if (a->vocab_size != b->vocab_size)
        return qz_fail(err, QZ_EUSAGE, "vocabularies differ: %llu tokens in '%s', %llu in '%s'; " ADVICE,
                       (unsigned long long)a->vocab_size, first->model->path, (unsigned long long)b->vocab_size,
                       other->model->path);
    if (first->tokenizer == NULL || other->tokenizer == NULL || d->kind == QZ_DATA_JSONL_IDS) return QZ_OK;
    if (qz_tokenizer_other_token(first->tokenizer, other->tokenizer, &id))
        return qz_fail(err, QZ_EUSAGE, "vocabularies differ: token %u is %s in '%s' and %s in '%s'; " ADVICE, id,
                       token_text(first, id, at), first->model->path, token_text(other, id, bt), other->model->path);
    qz_eval_set again;
    QZ_TRY(qz_eval_set_build(other->tokenizer, d, o, &again, err));
    qz_status st = strcmp(again.token_hash, set->token_hash) == 0 ? QZ_OK : parted(first, other, set, &again, err);
    qz_eval_set_release(&again);
    return st;
}

qz_status qz_scored_bytes(const qz_tokenizer *t, const qz_eval_set *set, size_t *bytes, qz_error *err) {
    qz_str all = {0}, before = {0};
    qz_status st = QZ_OK;
    *bytes = 0;
    for (size_t w = 0; w < set->n && st == QZ_OK; w++) {
        const qz_eval_window *x = &set->windows[w];
        qz_str_clear(&all);
        qz_str_clear(&before);
        st = qz_tokenizer_decode(t, x->ids, x->n, true, &all, err);
        if (st == QZ_OK) st = qz_tokenizer_decode(t, x->ids, x->first, true, &before, err);
        *bytes += all.len > before.len ? all.len - before.len : 0;
    }
    qz_str_release(&all);
    qz_str_release(&before);
    return st;
}
