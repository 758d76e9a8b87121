/* Counting: tokens, lengths, distinct contexts, languages, scripts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/size.h"
#include "text/lint_int.h"
#include "base/utf8.h"

bool qz_hash_set_has(const qz_hash_set *s, uint64_t h) {
    if (!s->n_slots) return false;
    h += h == 0; /* 0 marks a free slot */
    for (size_t i = (size_t)(h ^ h >> 32) & (s->n_slots - 1); s->slot[i]; i = (i + 1) & (s->n_slots - 1))
        if (s->slot[i] == h) return true;
    return false;
}

static void put(uint64_t *slot, size_t n_slots, uint64_t h) {
    size_t i = (size_t)(h ^ h >> 32) & (n_slots - 1);
    while (slot[i]) i = (i + 1) & (n_slots - 1);
    slot[i] = h;
}

bool qz_hash_set_add(qz_hash_set *s, uint64_t h, bool *fresh) {
    h += h == 0;
    *fresh = !qz_hash_set_has(s, h);
    if (!*fresh) return true;
    if ((s->n + 1) * 2 > s->n_slots) {
        size_t n = s->n_slots ? s->n_slots * 2 : 1024;
        uint64_t *slot = qz_calloc_array(n, sizeof *slot);
        if (!slot) return false;
        for (size_t i = 0; i < s->n_slots; i++)
            if (s->slot[i]) put(slot, n, s->slot[i]);
        qz_free(s->slot);
        s->slot = slot;
        s->n_slots = n;
    }
    put(s->slot, s->n_slots, h);
    s->n++;
    return true;
}

void qz_hash_set_release(qz_hash_set *s) {
    qz_free(s->slot);
    *s = (qz_hash_set){0};
}

#define HALF_BLOCK 64 /* tokens: data are cut into blocks that go to two halves in turn */

/* ---- languages ---- */
typedef enum { ENGLISH, FRENCH, GERMAN, LANGUAGES } language;
static const char *const stop_words[LANGUAGES] = {
    " the of and to in is that for with on are this be by was your you it from has have an as not will my please can "
    "our which do we ",
    " le la les des une est et que dans pour qui sur avec vous votre ce pas sont du au nous plus par cette aux mon ma "
    "à été je ai son sa ses il elle mais ne se ",
    " der die das und ist nicht ein eine zu mit von den auf für im sich dem ich sie wir wird bei als auch kam meine "
    "ihre es hat nach dass wie bitte "};

/* Letters of a word; '_' counts, so that the marks of chat templates (im_start) are words of their own. */
static bool letter(char c) { return (uint8_t)c >= 0x80 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_'; }

static language guess(const char *s, size_t n) {
    size_t hits[LANGUAGES] = {0};
    char word[24] = " ";
    for (size_t i = 0; i < n;) {
        size_t k = 1;
        while (i < n && !letter(s[i])) i++;
        for (; i < n && letter(s[i]); i++)
            if (k < sizeof word) word[k++] = (char)((uint8_t)s[i] < 0x80 && s[i] != '_' ? s[i] | 0x20 : s[i]);
        if (k < 3 || k + 2 > sizeof word) continue;
        memcpy(word + k, " ", 2);
        for (int l = 0; l < LANGUAGES; l++) hits[l] += strstr(stop_words[l], word) != NULL;
    }
    language best = ENGLISH;
    for (int l = 1; l < LANGUAGES; l++)
        if (hits[l] > hits[best]) best = (language)l;
    return hits[best] ? best : LANGUAGES;
}

enum { OTHER_SCRIPT = 7 };
static size_t script_of(uint32_t c) {
    /* latin, cyrillic, greek, han, kana, hangul, arabic */
    static const struct { uint32_t from, to; size_t script; } ranges[] = {
        {0, 0x250, 0}, {0x1e00, 0x1f00, 0}, {0x400, 0x530, 1}, {0x370, 0x400, 2}, {0x1f00, 0x2000, 2},
        {0x4e00, 0xa000, 3}, {0x3400, 0x4dc0, 3}, {0x20000, 0x32400, 3}, {0x3040, 0x3100, 4}, {0xac00, 0xd7b0, 5},
        {0x1100, 0x1200, 5}, {0x600, 0x780, 6}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (c >= ranges[i].from && c < ranges[i].to) return ranges[i].script;
    return OTHER_SCRIPT;
}
static void scripts(const char *s, size_t n, size_t counts[8]) {
    for (size_t i = 0; i < n;) {
        uint32_t c;
        i += qz_utf8_step(s + i, n - i, &c);
        if (c >= QZ_UTF8_CUT || !qz_utf8_is_word(c) || (c >= '0' && c <= '9') || c == '_') continue;
        counts[script_of(c)]++;
    }
}

static void language_shares(const qz_dataset *d, qz_data_facts *f) {
    size_t lang[LANGUAGES + 1] = {0}, script[8] = {0}, letters = 0;
    for (size_t i = 0; i < d->n; i++) {
        lang[guess(d->samples[i].text, d->samples[i].n)]++;
        scripts(d->samples[i].text, d->samples[i].n, script);
    }
    for (size_t k = 0; k < 8; k++) letters += script[k];
    double n = d->n ? (double)d->n : 1, m = letters ? (double)letters : 1;
    f->english = (double)lang[ENGLISH] / n, f->french = (double)lang[FRENCH] / n, f->german = (double)lang[GERMAN] / n;
    f->other_language = (double)lang[LANGUAGES] / n;
    double *share[8] = {&f->latin, &f->cyrillic, &f->greek,  &f->han,
                        &f->kana,  &f->hangul,   &f->arabic, &f->other_script};
    for (size_t k = 0; k < 8; k++) *share[k] = (double)script[k] / m;
}

/* ---- tokens ---- */
static int by_size(const void *x, const void *y) {
    size_t a = *(const size_t *)x, b = *(const size_t *)y;
    return (a > b) - (a < b);
}

static void length_facts(size_t *len, size_t n, qz_data_facts *f) {
    if (!n) return;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < 15 && len[i] >> (k + 1)) k++;
        f->histogram[k]++;
    }
    qsort(len, n, sizeof *len, by_size);
    f->shortest = len[0], f->longest = len[n - 1];
    f->median = n % 2 ? (double)len[n / 2] : 0.5 * ((double)len[n / 2 - 1] + (double)len[n / 2]);
    f->p90 = (double)len[qz_min_size(n - 1, n * 9 / 10)];
    f->mean = (double)f->tokens / (double)n;
}

typedef struct { uint64_t *v; size_t n; } counter;
static bool count(counter *c, uint32_t id) {
    if (id >= c->n) {
        size_t n = qz_max_size((size_t)id + 1, c->n * 2);
        uint64_t *v = qz_realloc_array(c->v, n, sizeof *v);
        if (!v) return false;
        memset(v + c->n, 0, (n - c->n) * sizeof *v);
        c->v = v, c->n = n;
    }
    c->v[id]++;
    return true;
}

qz_status qz_data_measure(const qz_tokenizer *t, const qz_dataset *d, qz_data_facts *f, uint64_t **counts,
                          size_t *n_counts, qz_error *err) {
    qz_hash_set texts = {0}, rows = {0};
    qz_ids ids = {0};
    counter c = {0}, half[2] = {{0}, {0}};
    size_t *len = qz_alloc_array(d->n, sizeof *len);
    qz_status st = QZ_OK;
    bool fresh, ok = len != NULL;
    *f = (qz_data_facts){.samples = d->n};
    for (size_t i = 0; i < d->n && ok; i++) {
        ids.n = 0;
        QZ_GOTO(qz_sample_failed(d, &d->samples[i],
                                 qz_sample_encode(t, &d->samples[i], d->kind == QZ_DATA_TEXT_FILE, &ids, err), err));
        uint64_t h = 0xcbf29ce484222325u;
        for (size_t k = 0; k < ids.n && ok; k++) { /* a context is a prefix: rows are equal only after equal prefixes */
            if (ids.ids[k] >= 1u << 24)
                QZ_GOTO(qz_fail(err, QZ_EFORMAT, "%s:%zu: token id %u is out of range", d->path, d->samples[i].line,
                                ids.ids[k]));
            h = (h ^ ids.ids[k]) * 0x9e3779b97f4a7c15u;
            h ^= h >> 31;
            ok = qz_hash_set_add(&rows, h, &fresh) && count(&c, ids.ids[k]) &&
                 count(&half[(f->tokens + k) / HALF_BLOCK % 2], ids.ids[k]);
        }
        ok = ok && qz_hash_set_add(&texts, ids.n ? h : 1, &fresh);
        len[i] = ids.n;
        f->tokens += ids.n;
    }
    if (!ok) QZ_GOTO(qz_fail(err, QZ_EMEMORY, "out of memory while judging '%s'", d->path));
    f->unique = texts.n;
    f->distinct_rows = rows.n;
    for (size_t i = 0; i < c.n; i++) f->distinct_tokens += c.v[i] > 0;
    f->self_divergence = qz_jensen_shannon(half[0].v, half[0].n, half[1].v, half[1].n);
    length_facts(len, d->n, f);
    language_shares(d, f);
    *counts = c.v, *n_counts = c.n;
    c.v = NULL;
out:
    qz_free(c.v);
    qz_free(half[0].v);
    qz_free(half[1].v);
    qz_free(len);
    qz_ids_release(&ids);
    qz_hash_set_release(&texts);
    qz_hash_set_release(&rows);
    return st;
}

/* 0 = equal distributions, 1 = no token in common. */
double qz_jensen_shannon(const uint64_t *a, size_t na, const uint64_t *b, size_t nb) {
    double sa = 0, sb = 0, js = 0;
    for (size_t i = 0; i < na; i++) sa += (double)a[i];
    for (size_t i = 0; i < nb; i++) sb += (double)b[i];
    if (sa == 0 || sb == 0) return sa == 0 && sb == 0 ? 0 : 1; /* nothing against nothing is equal */
    for (size_t i = 0; i < na || i < nb; i++) {
        double p = i < na ? (double)a[i] / sa : 0, q = i < nb ? (double)b[i] / sb : 0, m = 0.5 * (p + q);
        if (p > 0) js += 0.5 * p * log2(p / m);
        if (q > 0) js += 0.5 * q * log2(q / m);
    }
    return js;
}
