#include "formats/imatrix_sum.h"
#include "base/mathx.h"
#include "base/size.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 512u
#define ACTIVE 1e-5 /* mean squares above it */

static qz_status memory(qz_error *err) { return qz_fail(err, QZ_EMEMORY, "out of memory adding importance matrices"); }

static qz_imatrix_entry *find(qz_imatrix *im, const char *name) {
    for (size_t i = 0; i < im->n; i++)
        if (strcmp(im->entries[i].name, name) == 0) return &im->entries[i];
    return NULL;
}

/* Adds an entry; a count for all matrices counts for each of them. scale: of a .dat file the size of a chunk. */
static qz_status add(qz_imatrix *out, const qz_imatrix_entry *e, float scale, const char *file, qz_error *err) {
    qz_imatrix_entry *x = find(out, e->name);
    const size_t n = e->cols * e->mats;
    if (x && x->cols * x->mats != n)
        return qz_fail(err, QZ_EFORMAT,
                       "importance of another model: file '%s', entry '%.200s': expected %zu values as in the files "
                       "before it, found %zu",
                       file, e->name, x->cols * x->mats, n);
    const size_t mats = x && x->mats > e->mats ? x->mats : e->mats;
    float *sums = qz_arena_calloc(&out->arena, n + 1, sizeof *sums), *counts = qz_arena_calloc(&out->arena, mats + 1,
                                                                                              sizeof *counts);
    if (!sums || !counts) return memory(err);
    for (size_t i = 0; i < n; i++) sums[i] = (x ? x->sums[i] : 0) + e->sums[i] * scale;
    for (size_t m = 0; m < mats; m++)
        counts[m] = (x ? x->counts[x->mats == 1 ? 0 : m] : 0) + e->counts[e->mats == 1 ? 0 : m] * scale;
    if (x == NULL) {
        x = &out->entries[out->n++];
        *x = (qz_imatrix_entry){.name = qz_arena_strdup(&out->arena, e->name)};
        if (x->name == NULL) return memory(err);
    }
    x->cols = n / mats;
    x->mats = mats;
    x->sums = sums;
    x->counts = counts;
    return QZ_OK;
}

static qz_status add_file(qz_imatrix *out, const qz_imatrix *im, const char *name, qz_error *err) {
    const float scale = im->chunk_size ? 1.0f : (float)out->chunk_size;
    for (size_t i = 0; i < im->n; i++) QZ_TRY(add(out, &im->entries[i], scale, name, err));
    for (size_t i = 0; i < im->n_datasets; i++) {
        out->datasets[out->n_datasets] = qz_arena_strdup(&out->arena, im->datasets[i]);
        if (out->datasets[out->n_datasets++] == NULL) return memory(err);
    }
    return QZ_OK;
}

static void judge(const qz_imatrix *out, const qz_imatrix *files, size_t n, qz_imatrix_sum_facts *facts) {
    for (size_t i = 0; i < out->n; i++) {
        size_t in = 0;
        for (size_t f = 0; f < n; f++) in += qz_imatrix_find(&files[f], out->entries[i].name) != NULL;
        facts->shared += in == n;
        if (in < n && facts->alone++ == 0) facts->first = out->entries[i].name;
    }
    for (size_t f = 0; f < n; f++) facts->other_chunks |= files[f].chunk_size && files[f].chunk_size != out->chunk_size;
}

qz_status qz_imatrix_sum(qz_imatrix *out, const qz_imatrix *files, const char *const *names, size_t n,
                         qz_imatrix_sum_facts *facts, qz_error *err) {
    size_t entries = 0, sets = 0;
    *out = (qz_imatrix){0};
    *facts = (qz_imatrix_sum_facts){0};
    for (size_t f = 0; f < n; f++) {
        entries += files[f].n;
        sets += files[f].n_datasets;
        if (out->chunk_size == 0) out->chunk_size = files[f].chunk_size;
    }
    if (out->chunk_size == 0) out->chunk_size = CHUNK;
    out->entries = qz_arena_calloc(&out->arena, entries + 1, sizeof *out->entries);
    out->datasets = qz_arena_calloc(&out->arena, sets + 1, sizeof *out->datasets);
    qz_status st = out->entries && out->datasets ? QZ_OK : memory(err);
    for (size_t f = 0; f < n && st == QZ_OK; f++) st = add_file(out, &files[f], names[f], err);
    double most = 0;
    for (size_t i = 0; i < out->n && st == QZ_OK; i++)
        for (size_t m = 0; m < out->entries[i].mats; m++) most = fmax(most, (double)out->entries[i].counts[m]);
    out->chunk_count = (uint32_t)fmin(most / out->chunk_size, (double)UINT32_MAX);
    if (st == QZ_OK) judge(out, files, n, facts);
    else qz_imatrix_release(out);
    return st;
}

/* ---- facts ---- */
/* "blk.N.rest": the entry of layer N - 1, or NULL. */
static const qz_imatrix_entry *layer_before(const qz_imatrix *im, const char *name) {
    char *end, other[256];
    if (strncmp(name, "blk.", 4) != 0) return NULL;
    const unsigned long layer = strtoul(name + 4, &end, 10);
    if (end == name + 4 || layer == 0) return NULL;
    (void)snprintf(other, sizeof other, "blk.%lu%.200s", layer - 1, end);
    return qz_imatrix_find(im, other);
}

static double cosine(const qz_imatrix_entry *a, const qz_imatrix_entry *b) {
    double ab = 0, aa = 0, bb = 0;
    if (!b || a->cols * a->mats != b->cols * b->mats) return 0;
    for (size_t i = 0; i < a->cols * a->mats; i++) {
        ab += (double)a->sums[i] * (double)b->sums[i];
        aa += (double)a->sums[i] * (double)a->sums[i];
        bb += (double)b->sums[i] * (double)b->sums[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* Mean square of a column, or -1 where its matrix saw no token. */
static double square_of(const qz_imatrix_entry *e, size_t i) {
    const double n = (double)e->counts[i / e->cols];
    return n > 0 ? (double)e->sums[i] / n : -1;
}

void qz_imatrix_facts_of(const qz_imatrix *im, size_t entry, qz_imatrix_facts *out) {
    const qz_imatrix_entry *e = &im->entries[entry];
    double squares = 0;
    *out = (qz_imatrix_facts){.least = INFINITY, .cosine = cosine(e, layer_before(im, e->name))};
    for (size_t i = 0; i < e->cols * e->mats; i++) {
        const double a = square_of(e, i);
        if (a < 0) continue;
        out->columns++;
        out->total += a;
        squares += a * a;
        out->least = fmin(out->least, a);
        out->most = fmax(out->most, a);
        out->active += a > ACTIVE;
    }
    const double n = (double)out->columns;
    if (out->columns == 0) {
        out->least = 0;
        return;
    }
    out->mean = out->total / n;
    out->deviation = sqrt(fmax(0, squares / n - out->mean * out->mean));
    out->active /= n;
    for (size_t i = 0; i < e->cols * e->mats; i++) {
        const double a = square_of(e, i), p = out->total > 0 ? a / out->total : 0;
        if (a < 0) continue;
        if (p > 0) out->entropy -= p * qz_log(p) / qz_log(2);
        out->beyond += out->deviation > 0 && (a - out->mean) / out->deviation > 1;
    }
    out->beyond /= n;
    out->share = out->columns > 1 ? out->entropy / (qz_log(n) / qz_log(2)) : 0;
}
