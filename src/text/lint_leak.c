/* Overlap of data sets by hash. A unit is a sample's text without surrounding space; of a text file, a paragraph. */
#include <string.h>
#include "base/hash.h"
#include "base/size.h"
#include "text/lint_int.h"

#define PARAGRAPH 64 /* shorter paragraphs (headings, rules) are no evidence */

typedef qz_status (*unit_fn)(void *arg, const char *s, size_t n);

static bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static qz_status trimmed(const char *s, size_t n, size_t least, unit_fn fn, void *arg) {
    while (n && blank(s[n - 1])) n--;
    while (n && blank(*s)) s++, n--;
    return n >= least && n > 0 ? fn(arg, s, n) : QZ_OK;
}

static qz_status for_units(const qz_dataset *d, unit_fn fn, void *arg) {
    for (size_t i = 0; i < d->n; i++) {
        const qz_sample *x = &d->samples[i];
        if (x->ids) {
            QZ_TRY(fn(arg, (const char *)x->ids, x->n_ids * sizeof *x->ids));
            continue;
        }
        if (d->kind != QZ_DATA_TEXT_FILE) {
            QZ_TRY(trimmed(x->text, x->n, 1, fn, arg));
            continue;
        }
        for (size_t from = 0; from < x->n;) {
            const char *end = memmem(x->text + from, x->n - from, "\n\n", 2);
            size_t to = end ? (size_t)(end - x->text) : x->n;
            QZ_TRY(trimmed(x->text + from, to - from, PARAGRAPH, fn, arg));
            from = to + 2;
        }
    }
    return QZ_OK;
}

typedef struct { qz_hash_set set; size_t shared; qz_error *err; } overlap;

static qz_status remember(void *arg, const char *s, size_t n) {
    overlap *o = arg;
    bool fresh;
    return qz_hash_set_add(&o->set, qz_fnv64(s, n), &fresh) ? QZ_OK : qz_fail(o->err, QZ_EMEMORY, "out of memory while comparing data sets");
}

static qz_status compare(void *arg, const char *s, size_t n) {
    overlap *o = arg;
    o->shared += qz_hash_set_has(&o->set, qz_fnv64(s, n));
    return QZ_OK;
}

qz_status qz_data_overlap(const qz_dataset *data, const qz_dataset *other, size_t *shared, qz_error *err) {
    overlap o = {.err = err};
    qz_status st = for_units(other, remember, &o);
    if (st == QZ_OK) st = for_units(data, compare, &o);
    *shared = o.shared;
    qz_hash_set_release(&o.set);
    return st;
}

/* A sample that begins with a task's prompt asks the same question; prompts are found by a running hash. */
qz_status qz_task_overlap(const qz_dataset *data, const qz_taskset *tasks, size_t *shared, qz_error *err) {
    qz_hash_set set = {0}, lengths = {0};
    bool fresh, ok = true;
    *shared = 0;
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
        *shared += hit;
    }
    qz_hash_set_release(&set);
    qz_hash_set_release(&lengths);
    return ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory while comparing data sets");
}
