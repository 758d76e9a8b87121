#include "text/tokenizer_proof.h"
#include <string.h>
#include "base/hash.h"
#include "base/size.h"
#include "base/utf8.h"
#include "text/probe_texts.h"
#include "text/tokenizer_int.h"

#define MAX_ADDED 1024   /* special tokens that get texts of their own */
#define MAX_SHRUNK 24    /* texts that are made smaller; the smallest result is shown */
enum { FLAGS = QZ_ENCODE_SPECIAL | QZ_ENCODE_PARSE_SPECIAL };
typedef enum { SAME, UNSTORED, OTHER } verdict; /* equal; as `storable` gives it; for another reason */

typedef struct {
    const qz_tokenizer *source, *other, *storable;
    qz_ids want, got, less;
} pair;

static bool equal(const qz_ids *a, const qz_ids *b) {
    return a->n == b->n && (a->n == 0 || memcmp(a->ids, b->ids, a->n * sizeof *a->ids) == 0);
}

static qz_status judge(pair *p, const char *s, size_t n, verdict *v, qz_error *err) {
    p->want.n = p->got.n = p->less.n = 0;
    QZ_TRY(qz_tokenizer_encode(p->source, s, n, FLAGS, &p->want, err));
    QZ_TRY(qz_tokenizer_encode(p->other, s, n, FLAGS, &p->got, err));
    *v = equal(&p->want, &p->got) ? SAME : OTHER;
    if (*v == SAME || p->storable == NULL) return QZ_OK;
    QZ_TRY(qz_tokenizer_encode(p->storable, s, n, FLAGS, &p->less, err));
    if (equal(&p->less, &p->got)) *v = UNSTORED;
    return QZ_OK;
}

/* Bytes of the `count` characters from s on. */
static size_t span_of(const char *s, size_t n, size_t count) {
    size_t i = 0;
    uint32_t cp;
    for (; count > 0 && i < n; count--) i += qz_utf8_step(s + i, n - i, &cp);
    return i;
}

/* Leaves characters out as long as the verdict stays: halves, quarters, … single ones, until none can go. */
static qz_status shrink(pair *p, verdict want, qz_str *text, qz_error *err) {
    qz_str shorter = {0};
    qz_status st = QZ_OK;
    bool cut = true;
    while (cut && st == QZ_OK) {
        cut = false;
        for (size_t width = qz_utf8_count(text->ptr, text->len); width > 0 && st == QZ_OK; width /= 2) {
            for (size_t at = 0; at < text->len && st == QZ_OK;) {
                const size_t k = span_of(text->ptr + at, text->len - at, width);
                verdict v = SAME;
                qz_str_clear(&shorter);
                qz_str_append(&shorter, text->ptr, at);
                qz_str_append(&shorter, text->ptr + at + k, text->len - at - k);
                if (shorter.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory comparing tokenizers");
                if (st == QZ_OK) st = judge(p, shorter.ptr ? shorter.ptr : "", shorter.len, &v, err);
                if (st == QZ_OK && v == want) {
                    const qz_str swap = *text;
                    *text = shorter, shorter = swap;
                    cut = true;
                } else {
                    at += span_of(text->ptr + at, text->len - at, 1);
                }
            }
        }
    }
    qz_str_release(&shorter);
    return st;
}

static bool smaller(const qz_str *a, const qz_str *b) {
    const size_t x = qz_utf8_count(a->ptr, a->len), y = qz_utf8_count(b->ptr, b->len);
    if (x != y || a->len != b->len) return x != y ? x < y : a->len < b->len;
    return a->len && memcmp(a->ptr, b->ptr, a->len) < 0;
}

/* Keeps the smallest of what differs; a text without an excuse takes the place of one that has it. */
typedef struct { qz_tokenizer_proof *out; verdict kept; size_t shrunk; } keeper;
static qz_status keep(keeper *k, pair *p, verdict v, const qz_str *text, qz_error *err) {
    if (v < k->kept || (v == k->kept && k->shrunk == MAX_SHRUNK)) return QZ_OK;
    if (v > k->kept) k->shrunk = 0;
    k->shrunk++;
    qz_str copy = {0};
    qz_str_append(&copy, text->ptr, text->len);
    qz_status st = copy.failed ? qz_fail(err, QZ_EMEMORY, "out of memory comparing tokenizers") : QZ_OK;
    if (st == QZ_OK) st = shrink(p, v, &copy, err);
    if (st == QZ_OK && (v > k->kept || smaller(&copy, &k->out->smallest))) {
        const qz_str swap = k->out->smallest;
        k->out->smallest = copy, copy = swap;
        k->kept = v;
    }
    qz_str_release(&copy);
    return st;
}

static qz_status one_kind(const qz_probe_maker *m, size_t kind, pair *p, keeper *k, qz_sha256 *sha, qz_error *err) {
    static const uint32_t end = UINT32_MAX;
    qz_tokenizer_proof *out = k->out;
    const size_t n = qz_probe_texts(m, kind);
    qz_str text = {0};
    qz_status st = QZ_OK;
    out->kinds[kind].name = qz_probe_kind(kind);
    out->kinds[kind].texts = n;
    for (size_t i = 0; i < n && st == QZ_OK; i++) {
        verdict v = SAME;
        qz_probe_text(m, kind, i, &text);
        if (text.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory comparing tokenizers");
        if (st == QZ_OK) st = judge(p, text.ptr ? text.ptr : "", text.len, &v, err);
        if (st != QZ_OK) break;
        qz_sha256_update(sha, p->want.ids, p->want.n * sizeof *p->want.ids);
        qz_sha256_update(sha, &end, sizeof end);
        out->kinds[kind].differ += v != SAME;
        out->unstored += v == UNSTORED;
        if (v != SAME) st = keep(k, p, v, &text, err);
    }
    out->texts += n;
    out->differ += out->kinds[kind].differ;
    qz_str_release(&text);
    return st;
}

static size_t added_of(const qz_tokenizer *t, uint32_t *ids) {
    size_t n = 0;
    for (uint32_t i = 0; i < t->vocab.n && n < MAX_ADDED; i++)
        if (t->vocab.text[i] && (t->vocab.flags[i] & QZ_TOKF_ADDED)) ids[n++] = i;
    return n;
}

qz_status qz_tokenizer_prove(const qz_tokenizer *source, const qz_tokenizer *other, const qz_tokenizer *storable,
                             uint64_t seed, qz_tokenizer_proof *out, qz_error *err) {
    uint32_t added[MAX_ADDED];
    const qz_probe_maker m = {source, added, added_of(source, added), seed};
    pair p = {.source = source, .other = other, .storable = storable};
    *out = (qz_tokenizer_proof){0};
    keeper k = {.out = out};
    qz_sha256 sha = {0};
    qz_status st = QZ_OK;
    for (size_t kind = 0; kind < QZ_PROOF_KINDS && st == QZ_OK; kind++) st = one_kind(&m, kind, &p, &k, &sha, err);
    qz_sha256_final_hex(&sha, out->ids_sha256);
    verdict v;
    if (st == QZ_OK && out->differ)
        st = judge(&p, out->smallest.ptr ? out->smallest.ptr : "", out->smallest.len, &v, err);
    out->want = p.want, out->got = p.got;
    qz_ids_release(&p.less);
    return st;
}

void qz_tokenizer_proof_release(qz_tokenizer_proof *p) {
    qz_str_release(&p->smallest);
    qz_ids_release(&p->want);
    qz_ids_release(&p->got);
}
