#include "text/added.h"
#include <stdlib.h>
#include <string.h>
#include "base/size.h"
#include "base/utf8.h"

static int by_text(const void *x, const void *y) {
    const qz_added *a = x, *b = y;
    int c = memcmp(a->text, b->text, qz_min_size(a->n, b->n));
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

void qz_added_set_close(qz_added_set *set) {
    if (set->n) qsort(set->v, set->n, sizeof *set->v, by_text);
    for (size_t i = 0; i < set->n; i++) {
        uint8_t c = (uint8_t)set->v[i].text[0];
        set->first[c >> 6] |= (uint64_t)1 << (c & 63);
    }
}

/* First entry of [lo, hi) whose byte d is >= c; entries that end before byte d come first. */
static size_t bound(const qz_added_set *set, size_t lo, size_t hi, size_t d, unsigned c) {
    while (lo < hi) {
        size_t m = lo + (hi - lo) / 2;
        if (set->v[m].n <= d || (uint8_t)set->v[m].text[d] < c)
            lo = m + 1;
        else
            hi = m;
    }
    return lo;
}

/* The longest entry that s begins with: the sorted range is narrowed byte by byte. */
static const qz_added *longest(const qz_added_set *set, const char *s, size_t n) {
    size_t lo = 0, hi = set->n;
    const qz_added *best = NULL;
    for (size_t d = 0; d < n && lo < hi; d++) {
        unsigned c = (uint8_t)s[d];
        lo = bound(set, lo, hi, d, c);
        hi = bound(set, lo, hi, d, c + 1);
        if (lo < hi && set->v[lo].n == d + 1) best = &set->v[lo];
    }
    return best;
}

static bool word_at(const char *s, size_t n, size_t at) {
    uint32_t cp;
    if (at >= n) return false;
    qz_utf8_step(s + at, n - at, &cp);
    return qz_utf8_is_word(cp);
}

static size_t char_before(const char *s, size_t at) {
    at--;
    while (at > 0 && ((uint8_t)s[at] & 0xc0) == 0x80) at--;
    return at;
}

qz_status qz_added_split(const qz_added_set *set, const char *s, size_t n, bool parse_special, qz_piece_fn fn,
                         void *arg, qz_error *err) {
    size_t from = 0; /* end of the last token, swallowed space included */
    for (size_t i = 0; set->n && i < n;) {
        uint8_t c = (uint8_t)s[i];
        const qz_added *a = set->first[c >> 6] >> (c & 63) & 1 ? longest(set, s + i, n - i) : NULL;
        if (!a) {
            i++;
            continue;
        }
        size_t b = i, e = i + a->n;
        i = e;
        if (a->special && !parse_special) continue;
        if (a->single_word && ((b > 0 && word_at(s, n, char_before(s, b))) || word_at(s, n, e))) continue;
        /* A token may begin inside blanks that the one before has swallowed (rstrip): the reference takes both. */
        uint32_t cp;
        if (a->lstrip && b < from) b = from < e ? from : e;
        while (a->lstrip && b > from) {
            size_t k = char_before(s, b);
            qz_utf8_step(s + k, n - k, &cp);
            if (!qz_utf8_is_space(cp)) break;
            b = k;
        }
        while (a->rstrip && e < n) {
            size_t k = qz_utf8_step(s + e, n - e, &cp);
            if (!qz_utf8_is_space(cp)) break;
            e += k;
        }
        if (b > from) QZ_TRY(fn(arg, s + from, b - from, from, QZ_NO_ID, err));
        QZ_TRY(fn(arg, s + b, e - b, b, a->id, err));
        from = e;
    }
    return n > from ? fn(arg, s + from, n - from, from, QZ_NO_ID, err) : QZ_OK;
}
