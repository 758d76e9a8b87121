/* Split models: names of the parts, and all parts of a model as one table of tensors.
 * Source: formats/gguf-container.md section 3 (llama.cpp 0c1e57098: gguf-split, llama_split_path). */
#include "base/io.h"
#include "base/size.h"
#include "formats/gguf_edit.h"
#include "formats/gguf_int.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PARTIAL ".partial"
#define ENDING ".gguf"
enum { NUMBERS = sizeof "-00001-of-00001" - 1, DIGITS = 5 };

/* Length of the name without ".partial"; *stem: and without its number and ".gguf". */
static size_t stem_of(const char *path, size_t *stem, size_t *no, size_t *count) {
    size_t n = strlen(path);
    const size_t partial = sizeof PARTIAL - 1, ending = sizeof ENDING - 1;
    if (n > partial && strcmp(path + n - partial, PARTIAL) == 0) n -= partial;
    *stem = n;
    *no = *count = 0;
    if (n <= ending || strncmp(path + n - ending, ENDING, ending) != 0) return n;
    *stem = n - ending;
    if (*stem <= NUMBERS) return n;
    const char *p = path + *stem - NUMBERS;
    bool ok = p[0] == '-' && strncmp(p + 1 + DIGITS, "-of-", 4) == 0;
    for (size_t i = 0; i < DIGITS; i++)
        ok = ok && isdigit((unsigned char)p[1 + i]) && isdigit((unsigned char)p[1 + DIGITS + 4 + i]);
    const size_t first = ok ? strtoul(p + 1, NULL, 10) : 0, all = ok ? strtoul(p + 1 + DIGITS + 4, NULL, 10) : 0;
    if (first < 1 || first > all || all > QZ_GGUF_MAX_PARTS) return n;
    *no = first - 1;
    *count = all;
    *stem -= NUMBERS;
    return n;
}

bool qz_gguf_part_named(const char *path, size_t *no, size_t *count) {
    size_t stem;
    (void)stem_of(path, &stem, no, count);
    return *count > 0;
}

char *qz_gguf_part_path(const char *path, size_t no, size_t count) {
    size_t stem, ignored, n = stem_of(path, &stem, &ignored, &ignored);
    qz_str s = {0};
    qz_str_printf(&s, "%.*s-%05zu-of-%05zu" ENDING "%s", (int)stem, path, no + 1, count, path + n);
    if (!s.failed) return s.ptr;
    qz_str_release(&s);
    return NULL;
}

static qz_status expect(const qz_gguf *g, const char *key, uint64_t expected, const char *what, qz_error *err) {
    uint64_t found = 0;
    QZ_TRY(qz_gguf_u64(g, key, true, &found, err));
    if (found == expected) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT,
                   "%s: file '%s', key '%s': expected %llu, found %llu; put the right part in its place", what, g->path,
                   key, (unsigned long long)expected, (unsigned long long)found);
}

static qz_status name_fits(const qz_gguf *g, uint64_t count, size_t *no, qz_error *err) {
    size_t named;
    uint64_t number = 0;
    QZ_TRY(qz_gguf_u64(g, QZ_GGUF_SPLIT_NO, true, &number, err));
    if (count > QZ_GGUF_MAX_PARTS || number >= count)
        return qz_fail(err, QZ_EFORMAT, "bad split: file '%s': expected a part below %llu of at most %u, found %llu",
                       g->path, (unsigned long long)count, QZ_GGUF_MAX_PARTS, (unsigned long long)number);
    if (qz_gguf_part_named(g->path, no, &named) && named == count) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT,
                   "part of a split model under another name: file '%s': expected a name that ends in "
                   "-%05llu-of-%05llu.gguf, by which the other parts are found; rename it",
                   g->path, (unsigned long long)number + 1, (unsigned long long)count);
}

static qz_status open_at(qz_gguf *g, const char *first, size_t no, size_t count, qz_error *err) {
    char *path = qz_gguf_part_path(first, no, count);
    qz_status st = path ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", first);
    if (st == QZ_OK && !qz_path_exists(path))
        st = qz_fail(err, QZ_EFORMAT, "missing part: file '%s': part %zu of %zu; put it beside the others", path,
                     no + 1, count);
    if (st == QZ_OK) st = qz_gguf_open_part(g, path, err);
    qz_free(path);
    QZ_TRY(st);
    st = expect(g, QZ_GGUF_SPLIT_COUNT, count, "part of another model", err);
    if (st == QZ_OK) st = expect(g, QZ_GGUF_SPLIT_NO, no, "parts out of order", err);
    if (st != QZ_OK) qz_gguf_release(g);
    return st;
}

static bool of_the_part(const char *key) {
    return qz_str_starts(key, "split.") || strcmp(key, QZ_GGUF_ALIGNMENT_KEY) == 0;
}

/* Whatever a part says of the model, the first one says too (ours: source and recipe; those of llama-gguf-split say
 * nothing). */
static qz_status same_model(const qz_gguf *g, const qz_gguf *part, uint64_t tensors, qz_error *err) {
    QZ_TRY(expect(part, QZ_GGUF_SPLIT_TENSORS, tensors, "part of another model", err));
    for (size_t i = 0; i < part->n_kv; i++) {
        const qz_gguf_kv *b = &part->kv[i], *a = qz_gguf_key(g, b->key);
        char expected[96], found[96];
        if (of_the_part(b->key) || a == NULL) continue;
        if (a->kind == b->kind && a->elem == b->elem && a->bytes == b->bytes &&
            memcmp(a->data, b->data, (size_t)a->bytes) == 0)
            continue;
        return qz_fail(err, QZ_EFORMAT,
                       "part of another model: file '%s', key '%s': expected %s as in '%s', found %s; put the right "
                       "part in its place",
                       part->path, b->key, qz_gguf_value_text(a, expected), g->path, qz_gguf_value_text(b, found));
    }
    return QZ_OK;
}

/* All tensors in one table; facts of the files added up. */
static qz_status join(qz_gguf *g, uint64_t expected, qz_error *err) {
    size_t n = g->n, at = g->n;
    for (size_t i = 0; i < g->n_more; i++) n += g->more[i].n;
    if (n != expected)
        return qz_fail(err, QZ_EFORMAT,
                       "parts do not make one model: file '%s', key '" QZ_GGUF_SPLIT_TENSORS "': expected %llu "
                       "tensors, found %zu in %zu parts",
                       g->path, (unsigned long long)expected, n, g->n_more + 1);
    qz_gguf_tensor *all = qz_arena_alloc(&g->arena, n + 1, sizeof *all);
    if (!all) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", g->path);
    if (g->n) memcpy(all, g->tensors, g->n * sizeof *all);
    for (size_t i = 0; i < g->n_more; i++) {
        const qz_gguf *p = &g->more[i];
        for (size_t k = 0; k < p->n; k++) {
            all[at] = p->tensors[k];
            all[at++].part = i + 1;
        }
        g->packed &= p->packed;
        g->short_padding |= p->short_padding;
        g->trailing += p->trailing;
        g->file_bytes += p->file_bytes;
    }
    g->tensors = all;
    g->n = n;
    return qz_gguf_index(g, err);
}

static qz_status open_others(qz_gguf *g, size_t count, qz_error *err) {
    uint64_t tensors = 0;
    QZ_TRY(qz_gguf_u64(g, QZ_GGUF_SPLIT_TENSORS, true, &tensors, err));
    g->more = qz_calloc_array(count - 1, sizeof *g->more);
    if (!g->more) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", g->path);
    for (size_t i = 1; i < count; i++) {
        QZ_TRY(open_at(&g->more[i - 1], g->path, i, count, err));
        g->n_more = i;
        QZ_TRY(same_model(g, &g->more[i - 1], tensors, err));
    }
    return join(g, tensors, err);
}

qz_status qz_gguf_open(qz_gguf *g, const char *path, qz_error *err) {
    uint64_t count = 0;
    size_t no = 0;
    QZ_TRY(qz_gguf_open_part(g, path, err));
    qz_status st = qz_gguf_u64(g, QZ_GGUF_SPLIT_COUNT, false, &count, err);
    if (st == QZ_OK && count > 1) {
        st = name_fits(g, count, &no, err);
        if (st == QZ_OK) st = expect(g, QZ_GGUF_SPLIT_NO, no, "parts out of order", err);
        if (st == QZ_OK && no) {
            qz_gguf_release(g);
            QZ_TRY(open_at(g, path, 0, (size_t)count, err));
        }
        if (st == QZ_OK) st = open_others(g, (size_t)count, err);
    }
    if (st != QZ_OK) qz_gguf_release(g);
    return st;
}
