/* Byte-pair merging of one word (formats/tokenizer-json.md section 6): symbols, then the lowest-ranked pair, leftmost
 * on ties. Short words scan an array, long ones use a heap; frequent words come from the call's cache. */
#include <string.h>
#include "base/size.h"
#include "text/tokenizer_int.h"
#include "base/utf8.h"

#define SHORT_WORD 48

typedef struct qz_heap_item { uint32_t rank, pos, id; } heap_item;

uint32_t qz_byte_char(uint8_t b) {
    if ((b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae) return b;
    if (b <= 0x20) return 0x100u + b;
    if (b <= 0xa0) return 0x100u + 0x21u + b - 0x7fu;
    return 0x143u; /* 0xad */
}

int qz_char_byte(uint32_t c) {
    if ((c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff)) return (int)c;
    if (c < 0x100 || c > 0x143) return -1;
    c -= 0x100;
    return c <= 0x20 ? (int)c : c <= 0x42 ? (int)(c - 0x21 + 0x7f) : 0xad;
}

static qz_status no_memory(qz_error *err) { return qz_fail(err, QZ_EMEMORY, "out of memory while encoding a text"); }

static qz_status reserve_symbols(qz_enc *e, size_t n, qz_error *err) {
    if (n <= e->sym_cap) return QZ_OK;
    if (n > UINT32_MAX / 4) return qz_fail(err, QZ_EUSAGE, "word too long to encode: %zu bytes", n);
    size_t cap = qz_max_size(n, qz_max_size(256, e->sym_cap * 2));
    uint32_t *p = qz_realloc_array(e->sym, cap, 3 * sizeof *p);
    if (!p) return no_memory(err);
    e->sym = p;
    e->rank = p + cap;
    e->next_id = p + 2 * cap;
    e->sym_cap = cap;
    return QZ_OK;
}

/* The word's first symbols; returns their number in *count. */
static void symbols_of_bytes(qz_enc *e, const char *w, size_t n, size_t *count) {
    const qz_tokenizer *t = e->t;
    size_t k = 0;
    bool pending = false;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = t->byte_ids[(uint8_t)w[i]];
        if (id != QZ_NO_ID) {
            e->sym[k++] = id;
            pending = false;
        } else if (t->unk != QZ_NO_ID && !(t->fuse_unk && pending)) {
            e->sym[k++] = t->unk;
            pending = true;
        }
    }
    *count = k;
}

static void symbols_of_chars(qz_enc *e, const char *w, size_t n, size_t *count) {
    const qz_tokenizer *t = e->t;
    size_t k = 0;
    bool pending = false;
    for (size_t i = 0; i < n;) {
        uint32_t cp, id;
        size_t len = qz_utf8_step(w + i, n - i, &cp);
        id = cp < 128 ? t->ascii_ids[cp] : qz_vocab_find(&t->vocab, w + i, len);
        if (id != QZ_NO_ID && (t->vocab.flags[id] & QZ_TOKF_MODEL)) {
            e->sym[k++] = id;
            pending = false;
        } else {
            bool all = t->byte_fallback;
            for (size_t b = 0; b < len && all; b++) all = t->byte_ids[(uint8_t)w[i + b]] != QZ_NO_ID;
            if (all) {
                for (size_t b = 0; b < len; b++) e->sym[k++] = t->byte_ids[(uint8_t)w[i + b]];
                pending = false;
            } else if (t->unk != QZ_NO_ID && !(t->fuse_unk && pending)) {
                e->sym[k++] = t->unk;
                pending = true;
            }
        }
        i += len;
    }
    *count = k;
}

static void look_up(qz_enc *e, size_t i) {
    const qz_merge *m = qz_merges_get(&e->t->merges, e->sym[i], e->sym[i + 1]);
    e->rank[i] = m ? m->rank : UINT32_MAX;
    e->next_id[i] = m ? m->id : 0;
}

static size_t merge_short(qz_enc *e, size_t n) {
    for (size_t i = 0; i + 1 < n; i++) look_up(e, i);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (e->rank[i] < e->rank[best]) best = i;
        if (e->rank[best] == UINT32_MAX) break;
        e->sym[best] = e->next_id[best];
        size_t tail = n - best - 2; /* symbols after the pair */
        memmove(e->sym + best + 1, e->sym + best + 2, tail * sizeof *e->sym);
        if (tail > 0) {
            memmove(e->rank + best + 1, e->rank + best + 2, (tail - 1) * sizeof *e->rank);
            memmove(e->next_id + best + 1, e->next_id + best + 2, (tail - 1) * sizeof *e->next_id);
        }
        n--;
        if (best > 0) look_up(e, best - 1);
        if (best + 1 < n) look_up(e, best);
    }
    return n;
}

static inline bool less(const heap_item *a, const heap_item *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->pos < b->pos;
}

static bool heap_push(qz_enc *e, heap_item it) {
    if (e->heap_n == e->heap_cap) {
        size_t cap = e->heap_cap ? e->heap_cap * 2 : 1024;
        heap_item *h = qz_realloc_array(e->heap, cap, sizeof *h);
        if (!h) return false;
        e->heap = h;
        e->heap_cap = cap;
    }
    size_t i = e->heap_n++;
    while (i > 0 && less(&it, &e->heap[(i - 1) / 2])) {
        e->heap[i] = e->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    e->heap[i] = it;
    return true;
}

static heap_item heap_pop(qz_enc *e) {
    heap_item top = e->heap[0], last = e->heap[--e->heap_n];
    size_t i = 0;
    for (size_t c = 1; c < e->heap_n; c = 2 * i + 1) {
        if (c + 1 < e->heap_n && less(&e->heap[c + 1], &e->heap[c])) c++;
        if (!less(&e->heap[c], &last)) break;
        e->heap[i] = e->heap[c];
        i = c;
    }
    if (e->heap_n) e->heap[i] = last;
    return top;
}

static bool push_pair(qz_enc *e, int32_t l, int32_t r) {
    if (l < 0 || r < 0) return true;
    const qz_merge *m = qz_merges_get(&e->t->merges, e->sym[l], e->sym[r]);
    return !m || heap_push(e, (heap_item){m->rank, (uint32_t)l, m->id});
}

/* A merged-away symbol keeps QZ_NO_ID, so that stale heap entries are recognised. */
static qz_status merge_long(qz_enc *e, size_t *count, qz_error *err) {
    size_t n = *count;
    if (n > e->link_cap) {
        int32_t *l = qz_realloc_array(e->link, n, 2 * sizeof *l);
        if (!l) return no_memory(err);
        e->link = l;
        e->link_cap = n;
    }
    int32_t *prev = e->link, *next = e->link + n;
    e->heap_n = 0;
    for (size_t i = 0; i < n; i++) {
        prev[i] = (int32_t)i - 1;
        next[i] = i + 1 < n ? (int32_t)i + 1 : -1;
    }
    for (size_t i = 0; i + 1 < n; i++)
        if (!push_pair(e, (int32_t)i, (int32_t)i + 1)) return no_memory(err);
    while (e->heap_n) {
        heap_item it = heap_pop(e);
        int32_t p = (int32_t)it.pos, r = next[p];
        if (e->sym[p] == QZ_NO_ID || r < 0) continue;
        const qz_merge *m = qz_merges_get(&e->t->merges, e->sym[p], e->sym[r]);
        if (!m || m->id != it.id) continue;
        e->sym[p] = m->id;
        e->sym[r] = QZ_NO_ID;
        next[p] = next[r];
        if (next[r] >= 0) prev[next[r]] = p;
        if (!push_pair(e, prev[p], p) || !push_pair(e, p, next[p])) return no_memory(err);
    }
    size_t k = 0;
    for (int32_t i = 0; i >= 0; i = next[i]) e->sym[k++] = e->sym[i];
    *count = k;
    return QZ_OK;
}

static qz_status push_ids(qz_enc *e, const uint32_t *ids, size_t n, qz_error *err) {
    qz_ids *o = e->out;
    if (o->n + n > o->cap) {
        size_t cap = qz_max_size(o->n + n, o->cap ? o->cap * 2 : 64);
        uint32_t *p = qz_realloc_array(o->ids, cap, sizeof *p);
        if (!p) return no_memory(err);
        o->ids = p;
        o->cap = cap;
    }
    if (n) memcpy(o->ids + o->n, ids, n * sizeof *ids);
    o->n += n;
    return QZ_OK;
}

/* The id of a whole word (ignore_merges), in the spelling of the vocabulary. */
static uint32_t whole_word(qz_enc *e, const char *w, size_t n) {
    const qz_tokenizer *t = e->t;
    if (t->byte_level) {
        qz_str_clear(&e->spell);
        for (size_t i = 0; i < n; i++) qz_utf8_append(&e->spell, qz_byte_char((uint8_t)w[i]));
        if (e->spell.failed) return QZ_NO_ID; /* reported by the caller */
        w = e->spell.ptr, n = e->spell.len;
    }
    uint32_t id = qz_vocab_find(&t->vocab, w, n);
    return id != QZ_NO_ID && (t->vocab.flags[id] & QZ_TOKF_MODEL) ? id : QZ_NO_ID;
}

static bool all_newlines(const char *w, size_t n) {
    while (n && w[n - 1] == '\n') n--;
    return n == 0;
}

static qz_status encode_word(qz_enc *e, const char *w, size_t n, qz_error *err) {
    const qz_tokenizer *t = e->t;
    qz_word_cache *slot = NULL;
    if (n <= sizeof slot->key && e->cache) {
        slot = &e->cache[(size_t)qz_text_hash(w, n) & e->cache_mask];
        if (slot->len == n && memcmp(slot->key, w, n) == 0) return push_ids(e, slot->ids, slot->n, err);
    }
    size_t from = e->out->n, count = 0;
    const bool take_whole = t->ignore_merges || (t->whole_newlines && all_newlines(w, n));
    uint32_t whole = take_whole ? whole_word(e, w, n) : QZ_NO_ID;
    if (e->spell.failed) return no_memory(err);
    if (whole != QZ_NO_ID) {
        QZ_TRY(push_ids(e, &whole, 1, err));
    } else if (t->unigram.on) {
        QZ_TRY(qz_unigram_word(e, w, n, err));
    } else {
        QZ_TRY(reserve_symbols(e, n, err));
        if (t->byte_level)
            symbols_of_bytes(e, w, n, &count);
        else
            symbols_of_chars(e, w, n, &count);
        if (count > SHORT_WORD)
            QZ_TRY(merge_long(e, &count, err));
        else
            count = merge_short(e, count);
        QZ_TRY(push_ids(e, e->sym, count, err));
    }
    count = e->out->n - from;
    if (slot && count <= sizeof slot->ids / sizeof slot->ids[0]) {
        slot->len = (uint8_t)n;
        slot->n = (uint8_t)count;
        memcpy(slot->key, w, n);
        if (count) memcpy(slot->ids, e->out->ids + from, count * sizeof slot->ids[0]);
    }
    return QZ_OK;
}

qz_status qz_bpe_word(qz_enc *e, const char *w, size_t n, qz_error *err) {
    if (!e->t->word_starts) return n ? encode_word(e, w, n, err) : QZ_OK;
    /* No merge joins anything with a following U+2581, so the text may be cut before each run of it. */
    size_t from = 0;
    for (size_t i = 1; i + 2 < n; i++) {
        const char *p = memchr(w + i, 0xe2, n - i);
        if (!p || (size_t)(p - w) + 2 >= n) break;
        i = (size_t)(p - w);
        if (memcmp(p, "\xe2\x96\x81", 3) != 0) continue;
        bool run = i >= 3 && memcmp(p - 3, "\xe2\x96\x81", 3) == 0;
        if (!run && i > from) {
            QZ_TRY(encode_word(e, w + from, i - from, err));
            from = i;
        }
        i += 2;
    }
    return n > from ? encode_word(e, w + from, n - from, err) : QZ_OK;
}
