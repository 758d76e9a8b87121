/* Overlap of data sets by hash. A unit is a sample's text, or a paragraph of a text that no template wrapped; runs of
 * blanks count as one space, ASCII letters as small ones. A paragraph of several samples is a form, no leak. */
#include <string.h>
#include "base/hash.h"
#include "base/size.h"
#include "text/lint_int.h"

#define PARAGRAPH 64 /* shorter paragraphs (headings, rules) are no evidence */

typedef struct { uint64_t hash; size_t line; bool part; } text_unit; /* part: a paragraph of a sample */
typedef qz_status (*unit_fn)(void *arg, text_unit u);

static bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* FNV-1a of the normalized text; returns its length. */
static size_t normal_hash(const char *s, size_t n, uint64_t *hash) {
    size_t len = 0;
    uint64_t h = 0xcbf29ce484222325u;
    while (n && blank(s[n - 1])) n--;
    for (size_t i = 0; i < n; i++) {
        if (blank(s[i]) && (len == 0 || blank(s[i - 1]))) continue;
        const char c = blank(s[i]) ? ' ' : s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 0x20) : s[i];
        h = (h ^ (uint8_t)c) * 0x100000001b3u;
        len++;
    }
    *hash = h;
    return len;
}

static qz_status whole(const char *s, size_t n, size_t line, unit_fn fn, void *arg) {
    text_unit u = {.line = line};
    return normal_hash(s, n, &u.hash) ? fn(arg, u) : QZ_OK;
}
static qz_status paragraph(const char *s, size_t n, text_unit u, unit_fn fn, void *arg) {
    return normal_hash(s, n, &u.hash) >= PARAGRAPH ? fn(arg, u) : QZ_OK;
}

/* Paragraphs end at blank lines. */
static qz_status paragraphs(const qz_sample *x, bool file, unit_fn fn, void *arg) {
    size_t from = 0, to = 0, line = x->line; /* [from, to): the paragraph so far; empty: none is open */
    text_unit u = {.part = !file};
    for (size_t at = 0; at < x->n; line += file) { /* a sample's lines all stand in one line of its file */
        const char *nl = memchr(x->text + at, '\n', x->n - at);
        const size_t end = nl ? (size_t)(nl - x->text) : x->n;
        size_t k = at;
        while (k < end && blank(x->text[k])) k++;
        if (k < end && to == from) from = k, u.line = line;
        if (k < end) to = end;
        else if (to > from) {
            QZ_TRY(paragraph(x->text + from, to - from, u, fn, arg));
            to = from;
        }
        at = end + 1;
    }
    return to > from ? paragraph(x->text + from, to - from, u, fn, arg) : QZ_OK;
}

static qz_status sample_units(const qz_dataset *d, const qz_sample *x, unit_fn fn, void *arg) {
    if (x->ids) return fn(arg, (text_unit){qz_fnv64(x->ids, x->n_ids * sizeof *x->ids), x->line, false});
    if (d->kind == QZ_DATA_TEXT_FILE) return paragraphs(x, true, fn, arg);
    QZ_TRY(whole(x->text, x->n, x->line, fn, arg));
    return x->templated ? QZ_OK : paragraphs(x, false, fn, arg);
}

static qz_status for_units(const qz_dataset *d, unit_fn fn, void *arg) {
    for (size_t i = 0; i < d->n; i++) QZ_TRY(sample_units(d, &d->samples[i], fn, arg));
    return QZ_OK;
}

typedef struct {
    qz_hash_set other, seen, often; /* units of the other set; parts of the data, and those that came again */
    size_t units, hits;
    text_unit first;                /* hit */
    qz_error *err;
} overlap;

static qz_status keep(overlap *o, qz_hash_set *set, uint64_t h, bool *fresh) {
    if (qz_hash_set_add(set, h, fresh)) return QZ_OK;
    return qz_fail(o->err, QZ_EMEMORY, "out of memory while comparing data sets");
}

static qz_status remember(void *arg, text_unit u) {
    overlap *o = arg;
    bool fresh;
    return keep(o, &o->other, u.hash, &fresh);
}

static qz_status tally(void *arg, text_unit u) {
    overlap *o = arg;
    bool fresh;
    if (!u.part) return QZ_OK;
    QZ_TRY(keep(o, &o->seen, u.hash, &fresh));
    return fresh ? QZ_OK : keep(o, &o->often, u.hash, &fresh);
}

static qz_status compare(void *arg, text_unit u) {
    overlap *o = arg;
    o->units++;
    if (!qz_hash_set_has(&o->other, u.hash) || (u.part && qz_hash_set_has(&o->often, u.hash))) return QZ_OK;
    if (o->hits++ == 0) o->first = u;
    return QZ_OK;
}

static qz_status seek(void *arg, text_unit u) {
    text_unit *x = arg;
    if (u.hash == x->hash && x->line == 0) x->line = u.line;
    return QZ_OK;
}

qz_status qz_data_overlap(const qz_dataset *data, const qz_dataset *other, qz_leak *leak, qz_error *err) {
    overlap o = {.err = err};
    *leak = (qz_leak){0};
    qz_status st = for_units(other, remember, &o);
    if (st == QZ_OK) st = for_units(data, tally, &o);
    for (size_t i = 0; i < data->n && st == QZ_OK; i++) {
        const size_t before = o.hits;
        st = sample_units(data, &data->samples[i], compare, &o);
        leak->n += o.hits > before; /* samples, of a text file paragraphs */
    }
    leak->of = data->n;
    if (data->kind == QZ_DATA_TEXT_FILE) leak->n = o.hits, leak->of = o.units;
    if (st == QZ_OK && leak->n) {
        text_unit x = {.hash = o.first.hash};
        st = for_units(other, seek, &x);
        leak->line = o.first.line;
        leak->other_line = x.line;
    }
    qz_hash_set_release(&o.other);
    qz_hash_set_release(&o.seen);
    qz_hash_set_release(&o.often);
    return st;
}

static size_t line_of_prompt(const qz_taskset *tasks, uint64_t h) {
    for (size_t i = 0; i < tasks->n; i++)
        if (qz_fnv64(tasks->tasks[i].prompt, strlen(tasks->tasks[i].prompt)) == h) return tasks->tasks[i].line;
    return 0;
}

/* A sample that begins with a task's prompt asks the same question; prompts are found by a running hash. */
qz_status qz_task_overlap(const qz_dataset *data, const qz_taskset *tasks, qz_leak *leak, qz_error *err) {
    qz_hash_set set = {0}, lengths = {0};
    bool fresh, ok = true;
    *leak = (qz_leak){.of = data->n};
    for (size_t i = 0; i < tasks->n && ok; i++) {
        size_t n = strlen(tasks->tasks[i].prompt);
        if (n)
            ok = qz_hash_set_add(&set, qz_fnv64(tasks->tasks[i].prompt, n), &fresh) &&
                 qz_hash_set_add(&lengths, n, &fresh);
    }
    for (size_t i = 0; i < data->n && ok; i++) {
        const qz_sample *x = &data->samples[i];
        bool hit = false;
        uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, as qz_fnv64 */
        for (size_t k = 0; k < x->n && !hit && !x->ids; k++) {
            h = (h ^ (uint8_t)x->text[k]) * 0x100000001b3u;
            hit = qz_hash_set_has(&lengths, k + 1) && qz_hash_set_has(&set, h);
        }
        if (hit && leak->n++ == 0) leak->line = x->line, leak->other_line = line_of_prompt(tasks, h);
    }
    qz_hash_set_release(&set);
    qz_hash_set_release(&lengths);
    return ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory while comparing data sets");
}
