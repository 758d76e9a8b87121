/* Overlap of data sets by hash. A unit is a sample's text, or a paragraph of a text that no template wrapped (template
 * and system prompt stand in every sample); runs of blanks count as one space, ASCII letters as small ones. */
#include <string.h>
#include "base/hash.h"
#include "base/size.h"
#include "text/lint_int.h"

#define PARAGRAPH 64 /* shorter paragraphs (headings, rules) are no evidence */

typedef qz_status (*unit_fn)(void *arg, uint64_t hash, size_t line);

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

static qz_status unit(const char *s, size_t n, size_t least, size_t line, unit_fn fn, void *arg) {
    uint64_t h;
    const size_t len = normal_hash(s, n, &h);
    return len > 0 && len >= least ? fn(arg, h, line) : QZ_OK;
}

/* Paragraphs end at blank lines. step: 1 where the text's lines are the file's, 0 where all stand in one line of it. */
static qz_status paragraphs(const qz_sample *x, size_t step, unit_fn fn, void *arg) {
    size_t from = 0, to = 0; /* the paragraph so far; empty: none is open */
    size_t first = x->line, line = x->line;
    for (size_t at = 0; at < x->n; line += step) {
        const char *nl = memchr(x->text + at, '\n', x->n - at);
        const size_t end = nl ? (size_t)(nl - x->text) : x->n;
        size_t k = at;
        while (k < end && blank(x->text[k])) k++;
        if (k < end && to == from) from = k, first = line;
        if (k < end) to = end;
        else if (to > from) {
            QZ_TRY(unit(x->text + from, to - from, PARAGRAPH, first, fn, arg));
            to = from;
        }
        at = end + 1;
    }
    return to > from ? unit(x->text + from, to - from, PARAGRAPH, first, fn, arg) : QZ_OK;
}

static qz_status sample_units(const qz_dataset *d, const qz_sample *x, unit_fn fn, void *arg) {
    if (x->ids) return fn(arg, qz_fnv64(x->ids, x->n_ids * sizeof *x->ids), x->line);
    if (d->kind == QZ_DATA_TEXT_FILE) return paragraphs(x, 1, fn, arg);
    QZ_TRY(unit(x->text, x->n, 1, x->line, fn, arg));
    return x->templated ? QZ_OK : paragraphs(x, 0, fn, arg);
}

static qz_status for_units(const qz_dataset *d, unit_fn fn, void *arg) {
    for (size_t i = 0; i < d->n; i++) QZ_TRY(sample_units(d, &d->samples[i], fn, arg));
    return QZ_OK;
}

typedef struct {
    qz_hash_set set;
    size_t units, hits, line;  /* line of the first hit */
    uint64_t hash;             /* and what was found there */
    qz_error *err;
} overlap;

static qz_status remember(void *arg, uint64_t h, size_t line) {
    overlap *o = arg;
    bool fresh;
    (void)line;
    if (qz_hash_set_add(&o->set, h, &fresh)) return QZ_OK;
    return qz_fail(o->err, QZ_EMEMORY, "out of memory while comparing data sets");
}

static qz_status compare(void *arg, uint64_t h, size_t line) {
    overlap *o = arg;
    o->units++;
    if (!qz_hash_set_has(&o->set, h)) return QZ_OK;
    if (o->line == 0) o->line = line, o->hash = h;
    o->hits++;
    return QZ_OK;
}

typedef struct { uint64_t hash; size_t line; } sought;
static qz_status seek(void *arg, uint64_t h, size_t line) {
    sought *x = arg;
    if (h == x->hash && x->line == 0) x->line = line;
    return QZ_OK;
}

qz_status qz_data_overlap(const qz_dataset *data, const qz_dataset *other, qz_leak *leak, qz_error *err) {
    overlap o = {.err = err};
    *leak = (qz_leak){0};
    qz_status st = for_units(other, remember, &o);
    for (size_t i = 0; i < data->n && st == QZ_OK; i++) {
        const size_t before = o.hits;
        st = sample_units(data, &data->samples[i], compare, &o);
        leak->n += o.hits > before; /* samples, of a text file paragraphs */
    }
    leak->of = data->n;
    if (data->kind == QZ_DATA_TEXT_FILE) leak->n = o.hits, leak->of = o.units;
    if (st == QZ_OK && leak->n) {
        sought x = {.hash = o.hash};
        st = for_units(other, seek, &x);
        leak->line = o.line;
        leak->other_line = x.line;
    }
    qz_hash_set_release(&o.set);
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
        if (n) ok = qz_hash_set_add(&set, qz_fnv64(tasks->tasks[i].prompt, n), &fresh) && qz_hash_set_add(&lengths, n, &fresh);
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
