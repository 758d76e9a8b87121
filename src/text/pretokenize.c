/* Pre-tokenizers of formats/tokenizer-json.md section 4 as a chain of steps: every step cuts the words of the one
 * before; the last one's words go to the model. */
#include <string.h>
#include "text/tokenizer_int.h"
#include "base/utf8.h"

static qz_status run_step(qz_enc *e, size_t step, const char *s, size_t n, bool at_start, qz_error *err);

/* Joins spans of one split according to its behaviour. Spans follow each other without gaps; a match may be empty: it
 * separates what stands before it from what follows, and merges like any other. */
typedef struct {
    qz_enc *e;
    size_t step;
    const qz_pre *p;
    const char *base;
    bool at_start;
    size_t from, to; /* held back span */
    bool held, held_match;
} splitter;

static qz_status pass_on(splitter *x, size_t from, size_t to, qz_error *err) {
    if (from == to) return QZ_OK;
    return run_step(x->e, x->step + 1, x->base + from, to - from, x->at_start && from == 0, err);
}

static qz_status flush(splitter *x, qz_error *err) {
    if (!x->held) return QZ_OK;
    x->held = false;
    return pass_on(x, x->from, x->to, err);
}

static void hold(splitter *x, size_t from, size_t to, bool match) {
    x->from = from, x->to = to;
    x->held = true, x->held_match = match;
}

static qz_status span(splitter *x, size_t from, size_t to, bool match, qz_error *err) {
    if (from == to && !match) return QZ_OK;
    match ^= x->p->invert;
    switch (x->p->behavior) {
    case QZ_REMOVED: return match ? QZ_OK : pass_on(x, from, to, err);
    case QZ_ISOLATED: return pass_on(x, from, to, err);
    case QZ_CONTIGUOUS:
        if (x->held && x->held_match == match) {
            x->to = to;
            return QZ_OK;
        }
        break;
    case QZ_MERGED_PREVIOUS:
        if (match && x->held && !x->held_match) {
            x->to = to;
            x->held_match = true;
            return QZ_OK;
        }
        break;
    case QZ_MERGED_NEXT:
        if (!match && x->held && x->held_match) {
            x->to = to;
            return flush(x, err);
        }
        break;
    }
    QZ_TRY(flush(x, err));
    hold(x, from, to, match);
    return QZ_OK;
}

static qz_status split_regex(splitter *x, size_t n, qz_error *err) {
    qz_regex_iter it = {.re = &x->p->re, .s = x->base, .n = n};
    size_t last = 0;
    bool found = true;
    for (;;) {
        QZ_TRY(qz_regex_next(x->e, &it, &found, err));
        if (!found) break;
        QZ_TRY(span(x, last, it.begin, false, err));
        QZ_TRY(span(x, it.begin, it.end, true, err));
        last = it.end;
    }
    QZ_TRY(span(x, last, n, false, err));
    return flush(x, err);
}

static qz_status split_literal(splitter *x, const char *d, size_t dn, size_t n, qz_error *err) {
    size_t pos = 0;
    while (pos < n && dn) {
        const char *p = memmem(x->base + pos, n - pos, d, dn);
        if (!p) break;
        size_t b = (size_t)(p - x->base);
        QZ_TRY(span(x, pos, b, false, err));
        QZ_TRY(span(x, b, b + dn, true, err));
        pos = b + dn;
    }
    QZ_TRY(span(x, pos, n, false, err));
    return flush(x, err);
}

static qz_status metaspace(qz_enc *e, size_t step, const char *s, size_t n, bool at_start, qz_error *err) {
    const qz_pre *p = &e->t->pre[step];
    qz_str *b = &e->buf[step];
    qz_str_clear(b);
    bool has = (n && s[0] == ' ') || (n >= p->text_n && memcmp(s, p->text, p->text_n) == 0);
    if (!has && n && (p->prepend == QZ_PREPEND_ALWAYS || (p->prepend == QZ_PREPEND_FIRST && at_start)))
        qz_str_append(b, p->text, p->text_n);
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] != ' ') continue;
        qz_str_append(b, s + from, i - from);
        qz_str_append(b, p->text, p->text_n);
        from = i + 1;
    }
    qz_str_append(b, s + from, n - from);
    if (b->failed) return qz_fail(err, QZ_EMEMORY, "out of memory while splitting a text");
    if (!b->len) return QZ_OK;
    if (p->behavior != QZ_MERGED_NEXT) return run_step(e, step + 1, b->ptr, b->len, at_start, err);
    splitter x = {.e = e, .step = step, .p = p, .base = b->ptr, .at_start = at_start};
    return split_literal(&x, p->text, p->text_n, b->len, err);
}

static qz_status run_step(qz_enc *e, size_t step, const char *s, size_t n, bool at_start, qz_error *err) {
    if (step == e->t->n_pre) return qz_bpe_word(e, s, n, err);
    const qz_pre *p = &e->t->pre[step];
    splitter x = {.e = e, .step = step, .p = p, .base = s, .at_start = at_start};
    switch (p->kind) {
    case QZ_PRE_SPLIT: return split_regex(&x, n, err);
    case QZ_PRE_LITERAL: return split_literal(&x, p->text, p->text_n, n, err);
    case QZ_PRE_METASPACE: return metaspace(e, step, s, n, at_start, err);
    case QZ_PRE_PREFIX_SPACE: break;
    }
    if (n == 0 || s[0] == ' ') return run_step(e, step + 1, s, n, at_start, err);
    qz_str *b = &e->buf[step];
    qz_str_clear(b);
    qz_str_putc(b, ' ');
    qz_str_append(b, s, n);
    if (b->failed) return qz_fail(err, QZ_EMEMORY, "out of memory while splitting a text");
    return run_step(e, step + 1, b->ptr, b->len, at_start, err);
}

qz_status qz_pretokenize(qz_enc *e, const char *s, size_t n, bool at_start, qz_error *err) {
    return n ? run_step(e, 0, s, n, at_start, err) : QZ_OK;
}
