/* The unigram model of one word (formats/tokenizer-json.md section 9): the way through it whose pieces have the highest
 * sum of scores, found from left to right; characters without a piece cost ten less than the worst of all. Sums are
 * float64 and an earlier way stays where a later one is only equal, as in the reference. */
#include <stdlib.h>
#include <string.h>
#include "base/size.h"
#include "base/utf8.h"
#include "text/tokenizer_int.h"

#define UNKNOWN_COST 10.0
#define NO_PLACE UINT32_MAX

/* Pieces by text; qsort has no argument: the rows carry what they compare. */
typedef struct { const char *text; uint32_t n, id; } row;
static int by_text(const void *x, const void *y) {
    const row *a = x, *b = y;
    const int c = memcmp(a->text, b->text, qz_min_size(a->n, b->n));
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

qz_status qz_unigram_close(qz_tokenizer *t, qz_error *err) {
    qz_unigram *u = &t->unigram;
    const size_t n = qz_min_size(t->vocab.n, u->n_score);
    row *rows = qz_calloc_array(n + 1, sizeof *rows);
    double least = 0;
    u->order = qz_arena_alloc(&t->arena, n + 1, sizeof *u->order);
    if (!rows || !u->order) {
        qz_free(rows);
        return qz_fail(err, QZ_EMEMORY, "out of memory while loading tokenizer '%s'", t->path);
    }
    for (uint32_t id = 0; id < n; id++) {
        if (!t->vocab.text[id] || !(t->vocab.flags[id] & QZ_TOKF_MODEL) || !(u->score[id] == u->score[id])) continue;
        least = u->n == 0 || u->score[id] < least ? u->score[id] : least;
        if (t->vocab.len[id]) rows[u->n++] = (row){t->vocab.text[id], t->vocab.len[id], id};
    }
    if (u->n) qsort(rows, u->n, sizeof *rows, by_text);
    for (size_t i = 0; i < u->n; i++) u->order[i] = rows[i].id, u->first[(uint8_t)rows[i].text[0] + 1]++;
    for (size_t b = 0; b < 256; b++) u->first[b + 1] += u->first[b];
    u->unk_score = least - UNKNOWN_COST;
    qz_free(rows);
    return QZ_OK;
}

/* First of pieces [lo, hi) whose byte d is >= c; those that end before byte d come first. */
static size_t bound(const qz_tokenizer *t, size_t lo, size_t hi, size_t d, unsigned c) {
    while (lo < hi) {
        const size_t m = lo + (hi - lo) / 2;
        const uint32_t id = t->unigram.order[m];
        if (t->vocab.len[id] <= d || (uint8_t)t->vocab.text[id][d] < c) lo = m + 1;
        else hi = m;
    }
    return lo;
}

static void offer(qz_path *p, double score, size_t from, uint32_t id) {
    if (p->from != NO_PLACE && !(score > p->score)) return;
    *p = (qz_path){score, (uint32_t)from, id, 0};
}

/* All pieces that begin at w[at]; the unknown one where none has exactly the length of the character. */
static void extend(qz_enc *e, const char *w, size_t n, size_t at, size_t width) {
    const qz_tokenizer *t = e->t;
    const double here = e->path[at].score;
    const unsigned head = (uint8_t)w[at];
    size_t lo = t->unigram.first[head], hi = t->unigram.first[head + 1];
    bool single = false;
    for (size_t d = 0; at + d < n && lo < hi; d++) {
        const unsigned c = (uint8_t)w[at + d];
        if (d > 0) lo = bound(t, lo, hi, d, c);
        if (d > 0) hi = bound(t, lo, hi, d, c + 1);
        if (lo == hi) break;
        const uint32_t id = t->unigram.order[lo];
        if (t->vocab.len[id] != d + 1) continue;
        single |= d + 1 == width;
        offer(&e->path[at + d + 1], here + t->unigram.score[id], at, id);
    }
    if (!single) offer(&e->path[at + width], here + t->unigram.unk_score, at, t->unk);
}

/* A run of unknown characters is one piece: its own token, its bytes, or the unknown token. */
static qz_status unknown_run(qz_enc *e, const char *s, size_t n, qz_error *err) {
    const qz_tokenizer *t = e->t;
    const uint32_t id = qz_vocab_find(&t->vocab, s, n);
    if (id != QZ_NO_ID && (t->vocab.flags[id] & QZ_TOKF_MODEL)) return qz_ids_push(e->out, id, err);
    bool bytes = t->byte_fallback;
    for (size_t i = 0; bytes && i < n; i++) bytes = t->byte_ids[(uint8_t)s[i]] != QZ_NO_ID;
    for (size_t i = 0; bytes && i < n; i++) QZ_TRY(qz_ids_push(e->out, t->byte_ids[(uint8_t)s[i]], err));
    if (bytes) return QZ_OK;
    if (t->unk == QZ_NO_ID)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "text outside of the vocabulary: '%.*s' has no piece and tokenizer '%s' has no unknown token",
                       (int)qz_min_size(n, 32), s, t->path);
    return qz_ids_push(e->out, t->unk, err);
}

qz_status qz_unigram_word(qz_enc *e, const char *w, size_t n, qz_error *err) {
    if (n >= NO_PLACE) return qz_fail(err, QZ_EUSAGE, "word too long to encode: %zu bytes", n);
    if (n + 1 > e->path_cap) {
        const size_t cap = qz_max_size(n + 1, qz_max_size(256, e->path_cap * 2));
        qz_path *p = qz_realloc_array(e->path, cap, sizeof *p);
        if (!p) return qz_fail(err, QZ_EMEMORY, "out of memory while encoding a text");
        e->path = p;
        e->path_cap = cap;
    }
    for (size_t i = 0; i <= n; i++) e->path[i].from = NO_PLACE;
    e->path[0] = (qz_path){0};
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        const size_t width = qz_utf8_step(w + i, n - i, &cp);
        extend(e, w, n, i, width);
        i += width;
    }
    for (size_t to = n; to > 0; to = e->path[to].from) e->path[e->path[to].from].next = (uint32_t)to;
    for (size_t at = 0; at < n;) {
        size_t to = e->path[at].next;
        const uint32_t id = e->path[to].id;
        if (id == e->t->unk) {
            while (to < n && e->path[e->path[to].next].id == id) to = e->path[to].next;
            QZ_TRY(unknown_run(e, w + at, to - at, err));
        } else {
            QZ_TRY(qz_ids_push(e->out, id, err));
        }
        at = to;
    }
    return QZ_OK;
}
