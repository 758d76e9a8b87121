/* Ids to text: the decoder chain of formats/tokenizer-json.md section 12, whole and streaming. */
#include <string.h>
#include "base/size.h"
#include "text/tokenizer_int.h"
#include "base/utf8.h"

/* The list of strings that the chain works on: one buffer and the ends of its parts. */
typedef struct { qz_str s; size_t *end; size_t n, cap; bool failed; } parts;

static void part_close(parts *p) {
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 64;
        size_t *e = qz_realloc_array(p->end, cap, sizeof *e);
        if (!e) {
            p->failed = true;
            return;
        }
        p->end = e;
        p->cap = cap;
    }
    p->end[p->n++] = p->s.len;
}

static const char *part(const parts *p, size_t i, size_t *n) {
    size_t b = i ? p->end[i - 1] : 0;
    *n = p->end[i] - b;
    return p->s.ptr ? p->s.ptr + b : "";
}

static void parts_release(parts *p) {
    qz_str_release(&p->s);
    qz_free(p->end);
    *p = (parts){0};
}

/* "<0xHH>" -> byte, else -1. */
static int byte_token(const char *s, size_t n) {
    int v = 0;
    if (n != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>') return -1;
    for (int i = 3; i < 5; i++) {
        char c = s[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0) return -1;
        v = v * 16 + d;
    }
    return v;
}

/* The bytes of one token in the byte alphabet; a token with any other character stands for itself. */
static void byte_level_token(const char *s, size_t n, qz_str *out) {
    size_t from = out->len;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        i += qz_utf8_step(s + i, n - i, &cp);
        int b = qz_char_byte(cp);
        if (b < 0) {
            out->len = from;
            qz_str_append(out, s, n);
            return;
        }
        qz_str_putc(out, (char)b);
    }
}

static void replace_text(const char *s, size_t n, const char *from, size_t fn, const char *to, size_t tn, qz_str *out) {
    size_t pos = 0;
    while (fn && pos < n) {
        const char *p = memmem(s + pos, n - pos, from, fn);
        if (!p) break;
        qz_str_append(out, s + pos, (size_t)(p - s) - pos);
        qz_str_append(out, to, tn);
        pos = (size_t)(p - s) + fn;
    }
    qz_str_append(out, s + pos, n - pos);
}

static void strip_chars(const char **s, size_t *n, const qz_dec *d) {
    for (size_t i = 0; i < d->start && *n >= d->text_n && memcmp(*s, d->text, d->text_n) == 0; i++)
        *s += d->text_n, *n -= d->text_n;
    for (size_t i = 0; i < d->stop && *n >= d->text_n && memcmp(*s + *n - d->text_n, d->text, d->text_n) == 0; i++)
        *n -= d->text_n;
}

static void byte_fallback(const parts *in, parts *out) {
    for (size_t i = 0; i < in->n;) {
        size_t n, k = i;
        const char *s = part(in, i, &n);
        qz_str run = {0};
        for (int b; k < in->n; k++) {
            const char *t = part(in, k, &n);
            if ((b = byte_token(t, n)) < 0) break;
            qz_str_putc(&run, (char)b);
        }
        if (k == i) {
            qz_str_append(&out->s, s, n);
            k++;
        } else if (qz_utf8_valid(run.ptr ? run.ptr : "", run.len)) {
            qz_str_append(&out->s, run.ptr, run.len);
        } else {
            for (size_t j = 0; j < run.len; j++) qz_str_append(&out->s, "\xef\xbf\xbd", 3);
        }
        part_close(out);
        out->failed |= run.failed;
        qz_str_release(&run);
        i = k;
    }
}

static qz_status decode_step(qz_enc *e, const qz_dec *d, const parts *in, parts *out, qz_error *err) {
    if (d->kind == QZ_DEC_BYTE_FALLBACK) {
        byte_fallback(in, out);
        return QZ_OK;
    }
    qz_str bytes = {0};
    for (size_t i = 0; i < in->n; i++) {
        size_t n;
        const char *s = part(in, i, &n);
        switch (d->kind) {
        case QZ_DEC_BYTE_LEVEL: byte_level_token(s, n, &bytes); continue;
        case QZ_DEC_FUSE: qz_str_append(&out->s, s, n); continue;
        case QZ_DEC_METASPACE:
            if (i == 0 && !d->keep_first)
                replace_text(s, n, d->text, d->text_n, "", 0, &out->s);
            else
                replace_text(s, n, d->text, d->text_n, " ", 1, &out->s);
            break;
        case QZ_DEC_REPLACE:
            QZ_TRY(qz_norm_replace(e, &d->replace, s, n, &out->s, err));
            break;
        case QZ_DEC_STRIP:
            strip_chars(&s, &n, d);
            qz_str_append(&out->s, s, n);
            break;
        case QZ_DEC_BYTE_FALLBACK: break;
        }
        part_close(out);
    }
    if (d->kind == QZ_DEC_BYTE_LEVEL) qz_utf8_lossy(bytes.ptr ? bytes.ptr : "", bytes.len, &out->s);
    if (d->kind == QZ_DEC_BYTE_LEVEL || d->kind == QZ_DEC_FUSE) part_close(out);
    out->failed |= bytes.failed;
    qz_str_release(&bytes);
    return QZ_OK;
}

static const char *token_text(const qz_tokenizer *t, uint32_t id, size_t *n) {
    const char *s = qz_tokenizer_token(t, id, n);
    if (s && t->norm_text && t->norm_text[id]) {
        s = t->norm_text[id];
        *n = strlen(s);
    }
    return s;
}

qz_status qz_tokenizer_decode(const qz_tokenizer *t, const uint32_t *ids, size_t n, bool skip_special, qz_str *out,
                              qz_error *err) {
    parts a = {0}, b = {0};
    qz_enc e = {.t = t};
    qz_status st = QZ_OK;
    for (size_t i = 0; i < n; i++) {
        size_t k;
        const char *s = token_text(t, ids[i], &k);
        if (!s || (skip_special && qz_tokenizer_is_special(t, ids[i]))) continue;
        qz_str_append(&a.s, s, k);
        part_close(&a);
    }
    for (size_t d = 0; d < t->n_dec; d++) {
        qz_str_clear(&b.s);
        b.n = 0;
        QZ_GOTO(decode_step(&e, &t->dec[d], &a, &b, err));
        parts swap = a;
        a = b, b = swap;
    }
    for (size_t i = 0; i < a.n; i++) {
        size_t k;
        const char *s = part(&a, i, &k);
        if (i > 0 && t->n_dec == 0) qz_str_putc(out, ' ');
        qz_str_append(out, s, k);
    }
    if (a.failed || b.failed || a.s.failed || b.s.failed || out->failed)
        st = qz_fail(err, QZ_EMEMORY, "out of memory while decoding %zu ids", n);
out:
    qz_enc_release(&e);
    parts_release(&a);
    parts_release(&b);
    return st;
}

/* ---- streaming ---- */
static void drain(qz_decode_stream *s, qz_str *out) {
    size_t i = 0;
    while (i < s->n) {
        uint32_t cp;
        size_t k = qz_utf8_step((const char *)s->pending + i, s->n - i, &cp);
        if (cp == QZ_UTF8_CUT) break;
        if (cp == QZ_UTF8_BAD)
            qz_str_append(out, "\xef\xbf\xbd", 3);
        else
            qz_str_append(out, s->pending + i, k);
        i += k;
    }
    memmove(s->pending, s->pending + i, s->n - i);
    s->n -= i;
}

static void feed(qz_decode_stream *s, const char *p, size_t n, qz_str *out) {
    for (size_t i = 0; i < n; i++) {
        s->pending[s->n++] = (uint8_t)p[i];
        if (s->n == 8 || i + 1 == n) drain(s, out); /* at most 3 bytes stay */
    }
}

void qz_tokenizer_decode_end(qz_decode_stream *s, qz_str *out) {
    if (s->n) qz_str_append(out, "\xef\xbf\xbd", 3);
    s->n = 0;
}

/* One member of the chain over one token; *is_byte tells that the token is a byte of a longer sequence. */
static qz_status stream_step(qz_enc *e, const qz_dec *x, bool first, const qz_str *piece, qz_str *out, bool *is_byte,
                             qz_error *err) {
    const char *p = piece->ptr ? piece->ptr : "";
    size_t n = piece->len;
    int b = x->kind == QZ_DEC_BYTE_FALLBACK ? byte_token(p, n) : -1;
    if (b >= 0) {
        *is_byte = true;
        qz_str_putc(out, (char)b);
        return QZ_OK;
    }
    if (x->kind == QZ_DEC_REPLACE) return qz_norm_replace(e, &x->replace, p, n, out, err);
    if (x->kind == QZ_DEC_METASPACE) {
        replace_text(p, n, x->text, x->text_n, " ", first && !x->keep_first ? 0 : 1, out);
        return QZ_OK;
    }
    /* the end of the text is not known: `stop` is not applied */
    if (x->kind == QZ_DEC_STRIP && first) strip_chars(&p, &n, x);
    qz_str_append(out, p, n);
    return QZ_OK;
}

qz_status qz_tokenizer_decode_next(const qz_tokenizer *t, qz_decode_stream *s, uint32_t id, bool skip_special,
                                   qz_str *out, qz_error *err) {
    size_t n;
    const char *text = token_text(t, id, &n);
    if (!text || (skip_special && qz_tokenizer_is_special(t, id))) return QZ_OK;
    bool byte_level = t->n_dec > 0 && t->dec[0].kind == QZ_DEC_BYTE_LEVEL, is_byte = byte_level;
    qz_str piece = {0}, tmp = {0};
    qz_enc e = {.t = t};
    qz_status st = QZ_OK;
    if (byte_level)
        byte_level_token(text, n, &piece);
    else
        qz_str_append(&piece, text, n);
    for (size_t d = 0; d < t->n_dec && !byte_level; d++) {
        qz_str_clear(&tmp);
        QZ_GOTO(stream_step(&e, &t->dec[d], s->count == 0, &piece, &tmp, &is_byte, err));
        qz_str swap = piece;
        piece = tmp, tmp = swap;
    }
    if (!is_byte) qz_tokenizer_decode_end(s, out);
    if (t->n_dec == 0 && s->count) qz_str_putc(out, ' ');
    s->count++;
    feed(s, piece.ptr ? piece.ptr : "", piece.len, out);
    if (piece.failed || tmp.failed || out->failed) st = qz_fail(err, QZ_EMEMORY, "out of memory while decoding");
out:
    qz_enc_release(&e);
    qz_str_release(&piece);
    qz_str_release(&tmp);
    return st;
}
