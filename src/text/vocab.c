/* Hash tables of a tokenizer: text -> id, (left, right) -> merge. Open addressing, linear probing. */
#include <string.h>
#include "base/bytes.h"
#include "base/size.h"
#include "text/tokenizer_int.h"

uint64_t qz_text_hash(const char *s, size_t n) {
    const uint64_t k = 0x9e3779b97f4a7c15u;
    uint64_t h = n * k;
    while (n >= 8) {
        h = (h ^ qz_load_u64le(s)) * k;
        h ^= h >> 29;
        s += 8, n -= 8;
    }
    uint64_t w = 0;
    memcpy(&w, s, n);
    h = (h ^ w) * k;
    return h ^ h >> 32;
}

uint32_t qz_vocab_find(const qz_vocab *v, const char *s, size_t n) {
    if (v->n_slots == 0 || n > UINT32_MAX) return QZ_NO_ID;
    for (size_t i = (size_t)qz_text_hash(s, n) & (v->n_slots - 1);; i = (i + 1) & (v->n_slots - 1)) {
        uint32_t id = v->slots[i];
        if (id == 0) return QZ_NO_ID;
        id--;
        if (v->len[id] == n && memcmp(v->text[id], s, n) == 0) return id;
    }
}

static bool grow_slots(qz_vocab *v) {
    size_t n = v->n_slots ? v->n_slots * 2 : 1024;
    uint32_t *s = qz_calloc_array(n, sizeof *s);
    if (!s) return false;
    for (size_t k = 0; k < v->n_slots; k++) {
        if (v->slots[k] == 0) continue;
        uint32_t id = v->slots[k] - 1;
        size_t i = (size_t)qz_text_hash(v->text[id], v->len[id]) & (n - 1);
        while (s[i]) i = (i + 1) & (n - 1);
        s[i] = id + 1;
    }
    qz_free(v->slots);
    v->slots = s;
    v->n_slots = n;
    return true;
}

static bool grow_ids(qz_vocab *v, size_t need) {
    size_t cap = qz_max_size(v->cap ? v->cap * 2 : 4096, need);
    const char **text = qz_realloc_array(v->text, cap, sizeof *text);
    if (!text) return false;
    v->text = text;
    uint32_t *len = qz_realloc_array(v->len, cap, sizeof *len);
    if (!len) return false;
    v->len = len;
    uint8_t *flags = qz_realloc_array(v->flags, cap, 1);
    if (!flags) return false;
    v->flags = flags;
    memset(text + v->cap, 0, (cap - v->cap) * sizeof *text);
    memset(len + v->cap, 0, (cap - v->cap) * sizeof *len);
    memset(flags + v->cap, 0, cap - v->cap);
    v->cap = cap;
    return true;
}

qz_status qz_vocab_add(qz_vocab *v, qz_arena *a, qz_new_token t, const char *name, qz_error *err) {
    const char *s = t.s;
    const size_t n = t.n;
    const uint32_t id = t.id;
    if (id >= QZ_TOK_MAX_ID)
        return qz_fail(err, QZ_EFORMAT,
                       "token id out of range: file '%s', token '%.60s': found %u, largest accepted is %u", name, s, id,
                       QZ_TOK_MAX_ID - 1);
    if (n > UINT32_MAX / 2) return qz_fail(err, QZ_EFORMAT, "token text too long: file '%s', id %u", name, id);
    uint32_t have = qz_vocab_find(v, s, n);
    if (have != QZ_NO_ID && have != id)
        return qz_fail(err, QZ_EFORMAT, "token listed twice: file '%s', token '%.60s': ids %u and %u", name, s, have,
                       id);
    if (id < v->n && v->text[id] && have != id)
        return qz_fail(err, QZ_EFORMAT, "id used twice: file '%s', id %u: '%.60s' and '%.60s'", name, id, v->text[id],
                       s);
    if (id >= v->cap && !grow_ids(v, (size_t)id + 1))
        return qz_fail(err, QZ_EMEMORY, "out of memory for the vocabulary of '%s'", name);
    if (id >= v->n) v->n = (size_t)id + 1;
    v->flags[id] |= t.flags;
    if (have == id) return QZ_OK;
    if ((v->count + 1) * 2 > v->n_slots && !grow_slots(v))
        return qz_fail(err, QZ_EMEMORY, "out of memory for the vocabulary of '%s'", name);
    char *copy = qz_arena_strndup(a, s, n);
    if (!copy) return qz_fail(err, QZ_EMEMORY, "out of memory for the vocabulary of '%s'", name);
    v->text[id] = copy;
    v->len[id] = (uint32_t)n;
    size_t i = (size_t)qz_text_hash(copy, n) & (v->n_slots - 1);
    while (v->slots[i]) i = (i + 1) & (v->n_slots - 1);
    v->slots[i] = id + 1;
    v->count++;
    return QZ_OK;
}

void qz_vocab_release(qz_vocab *v) {
    qz_free(v->text);
    qz_free(v->len);
    qz_free(v->flags);
    qz_free(v->slots);
    *v = (qz_vocab){0};
}

qz_status qz_merges_reserve(qz_merges *m, size_t n, qz_error *err) {
    size_t slots = 16;
    while (slots < n * 2) {
        if (slots > SIZE_MAX / 4) return qz_fail(err, QZ_EMEMORY, "out of memory for %zu merges", n);
        slots *= 2;
    }
    m->slots = qz_alloc_array(slots, sizeof *m->slots);
    if (!m->slots) return qz_fail(err, QZ_EMEMORY, "out of memory for %zu merges", n);
    for (size_t i = 0; i < slots; i++) m->slots[i] = (qz_merge){UINT64_MAX, 0, 0};
    m->n_slots = slots;
    return QZ_OK;
}

void qz_merges_put(qz_merges *m, uint32_t a, uint32_t b, uint32_t rank, uint32_t id) {
    uint64_t key = (uint64_t)a << 32 | b, h = key * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(h ^ h >> 32) & (m->n_slots - 1);
    while (m->slots[i].key != UINT64_MAX && m->slots[i].key != key) i = (i + 1) & (m->n_slots - 1);
    m->count += m->slots[i].key != key;
    m->slots[i] = (qz_merge){key, rank, id};
}
