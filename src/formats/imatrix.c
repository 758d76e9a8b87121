#include "formats/imatrix.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/size.h"
#include "base/utf8.h"
#include "formats/gguf.h"
#include "formats/strange.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CHUNK 512u
#define MAX_NAME 1024
static const char sums_suffix[] = ".in_sum2", counts_suffix[] = ".counts", dat_open[] = " [quantz.";

static int by_name(const void *a, const void *b) {
    return strcmp(((const qz_imatrix_entry *)a)->name, ((const qz_imatrix_entry *)b)->name);
}
static qz_status memory(const char *path, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", path);
}

/* Copies float32 values to aligned memory; they must be finite and not negative. */
static qz_status copy_values(qz_imatrix *im, const char *path, const char *name, const uint8_t *p, size_t n,
                             const float **out, qz_error *err) {
    float *v = qz_arena_alloc(&im->arena, n + 1, sizeof *v);
    if (!v) return memory(path, err);
    memcpy(v, p, n * sizeof *v);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]) || v[i] < 0)
            return qz_fail(err, QZ_EFORMAT,
                           "bad importance: file '%s', entry '%.200s', value %zu: expected a finite value from 0 on, "
                           "found %g",
                           path, name, i, (double)v[i]);
    *out = v;
    return QZ_OK;
}

static qz_status finish(qz_imatrix *im, const char *path, qz_error *err) {
    if (im->n == 0) return qz_fail(err, QZ_EFORMAT, "no data in importance matrix: file '%s'", path);
    qsort(im->entries, im->n, sizeof *im->entries, by_name);
    for (size_t i = 1; i < im->n; i++)
        if (strcmp(im->entries[i - 1].name, im->entries[i].name) == 0)
            return qz_fail(err, QZ_EFORMAT, "duplicate entry: file '%s', entry '%.200s'", path, im->entries[i].name);
    return QZ_OK;
}

/* ---- GGUF form ---- */
static qz_status gguf_entry(qz_imatrix *im, const qz_gguf *g, const qz_gguf_tensor *t, qz_error *err) {
    size_t stem = strlen(t->name) - (sizeof sums_suffix - 1);
    char other[80];
    snprintf(other, sizeof other, "%.*s%s", (int)stem, t->name, counts_suffix);
    const qz_gguf_tensor *c = qz_gguf_find(g, other);
    if (!c || c->type->id != 0 || t->type->id != 0)
        return qz_fail(err, QZ_EFORMAT, "incomplete entry: file '%s', tensor '%s': expected f32 sums and f32 '%s'",
                       g->path, t->name, other);
    if (t->dims[1] != c->elems && t->elems % c->elems)
        return qz_fail(err, QZ_EFORMAT, "wrong shape: file '%s', tensor '%s': %llu values for %llu counts", g->path,
                       t->name, (unsigned long long)t->elems, (unsigned long long)c->elems);
    qz_imatrix_entry *e = &im->entries[im->n++];
    *e = (qz_imatrix_entry){ .name = qz_arena_strndup(&im->arena, t->name, stem), .mats = (size_t)c->elems,
                             .cols = (size_t)(t->elems / c->elems) };
    if (!e->name) return memory(g->path, err);
    QZ_TRY(copy_values(im, g->path, e->name, t->data, (size_t)t->elems, &e->sums, err));
    return copy_values(im, g->path, e->name, c->data, (size_t)c->elems, &e->counts, err);
}

/* Keys that this program has written: "quantz.…". */
static qz_status read_notes(qz_imatrix *im, const qz_gguf *g, qz_error *err) {
    qz_imatrix_note *notes = qz_arena_calloc(&im->arena, g->n_kv + 1, sizeof *notes);
    if (!notes) return memory(g->path, err);
    for (size_t i = 0; i < g->n_kv; i++) {
        qz_gguf_text v = {0};
        if (g->kv[i].kind != QZ_GGUF_STR || !qz_str_starts(g->kv[i].key, "quantz.")) continue;
        QZ_TRY(qz_gguf_str(g, g->kv[i].key, true, &v, err));
        qz_imatrix_note *x = &notes[im->n_notes++];
        x->key = qz_arena_strdup(&im->arena, g->kv[i].key);
        x->value = qz_arena_strndup(&im->arena, v.n ? v.ptr : "", v.n);
        if (!x->key || !x->value) return memory(g->path, err);
    }
    im->notes = notes;
    return QZ_OK;
}

static qz_status read_gguf(qz_imatrix *im, const qz_gguf *g, qz_error *err) {
    qz_gguf_text *sets = NULL;
    uint64_t count = 0, size = 0;
    QZ_TRY(qz_gguf_strings(g, "imatrix.datasets", true, &im->arena, &sets, &im->n_datasets, err));
    QZ_TRY(qz_gguf_u64(g, "imatrix.chunk_count", true, &count, err));
    QZ_TRY(qz_gguf_u64(g, "imatrix.chunk_size", true, &size, err));
    if (count > UINT32_MAX || size > UINT32_MAX || size == 0)
        return qz_fail(err, QZ_EFORMAT, "value out of range: file '%s', key 'imatrix.chunk_size': found %llu", g->path,
                       (unsigned long long)size);
    im->chunk_count = (uint32_t)count;
    im->chunk_size = (uint32_t)size;
    im->datasets = qz_arena_alloc(&im->arena, im->n_datasets + 1, sizeof *im->datasets);
    im->entries = qz_arena_calloc(&im->arena, g->n + 1, sizeof *im->entries);
    if (!im->datasets || !im->entries) return memory(g->path, err);
    for (size_t i = 0; i < im->n_datasets; i++)
        if (!(im->datasets[i] = qz_arena_strndup(&im->arena, sets[i].n ? sets[i].ptr : "", sets[i].n)))
            return memory(g->path, err);
    for (size_t i = 0; i < g->n; i++) /* tensors with other suffixes are not ours */
        if (qz_str_ends(g->tensors[i].name, sums_suffix)) QZ_TRY(gguf_entry(im, g, &g->tensors[i], err));
    QZ_TRY(read_notes(im, g, err));
    return finish(im, g->path, err);
}

/* ---- legacy form ---- */
typedef struct { const uint8_t *p; size_t at, n; const char *path; qz_error *err; } cursor;

static qz_status get(cursor *c, int32_t lo, uint64_t hi, const char *what, int32_t *v) {
    if (c->n - c->at < 4)
        return qz_fail(c->err, QZ_EFORMAT, "importance matrix ends early: file '%s', offset %zu: expected %s", c->path,
                       c->at, what);
    *v = (int32_t)qz_load_u32le(c->p + c->at);
    if (*v < lo || (uint64_t)*v > hi)
        return qz_fail(c->err, QZ_EFORMAT,
                       "bad %s: file '%s', offset %zu: expected %d to %llu, found %d; is this an importance matrix?",
                       what, c->path, c->at, lo, (unsigned long long)hi, *v);
    c->at += 4;
    return QZ_OK;
}

static qz_status dat_entry(qz_imatrix *im, cursor *c) {
    int32_t len = 0, calls = 0, values = 0;
    qz_imatrix_entry *e = &im->entries[im->n++];
    QZ_TRY(get(c, 1, qz_min_size(MAX_NAME, c->n - c->at), "name length", &len));
    bool ok = (size_t)len <= c->n - c->at && qz_utf8_valid((const char *)c->p + c->at, (size_t)len);
    for (size_t i = 0; ok && i < (size_t)len; i++) ok = c->p[c->at + i] > 0x1f && c->p[c->at + i] != 0x7f;
    if (!ok)
        return qz_fail(c->err, QZ_EFORMAT,
                       "bad name: file '%s', offset %zu: expected UTF-8 without control bytes; is this an importance "
                       "matrix?",
                       c->path, c->at);
    e->name = qz_arena_strndup(&im->arena, (const char *)c->p + c->at, (size_t)len);
    c->at += (size_t)len;
    QZ_TRY(get(c, 1, INT32_MAX, "number of calls", &calls));
    QZ_TRY(get(c, 1, (c->n - c->at) / 4, "number of values", &values));
    float *count = qz_arena_alloc(&im->arena, 1, sizeof *count);
    if (!e->name || !count) return memory(c->path, c->err);
    if ((size_t)values * 4 > c->n - c->at)
        return qz_fail(c->err, QZ_EFORMAT, "importance matrix ends early: file '%s', entry '%.200s'", c->path, e->name);
    *count = (float)calls;
    e->mats = 1;
    e->cols = (size_t)values;
    e->counts = count;
    QZ_TRY(copy_values(im, c->path, e->name, c->p + c->at, e->cols, &e->sums, c->err));
    c->at += e->cols * 4;
    return QZ_OK;
}

/* "NAME [quantz.KEY: VALUE]": the note goes its own way, the name stays. */
static qz_status dat_note(qz_imatrix *im, char *name, const char *path, qz_error *err) {
    const size_t n = strlen(name);
    char *open = strstr(name, dat_open), *colon = open ? strstr(open, ": ") : NULL;
    if (colon == NULL || name[n - 1] != ']') return QZ_OK;
    qz_imatrix_note *note = qz_arena_calloc(&im->arena, 1, sizeof *note);
    if (!note) return memory(path, err);
    name[n - 1] = *open = *colon = 0;
    *note = (qz_imatrix_note){open + 2, colon + 2, true};
    im->notes = note;
    im->n_notes = 1;
    return QZ_OK;
}

static qz_status read_dat(qz_imatrix *im, const uint8_t *p, size_t n, const char *path, qz_error *err) {
    cursor c = { p, 0, n, path, err };
    int32_t entries = 0, chunks = 0, len = 0;
    QZ_TRY(get(&c, 1, qz_max_size(1, n / 17), "number of entries", &entries)); /* the smallest entry has 17 bytes */
    im->entries = qz_arena_calloc(&im->arena, (size_t)entries, sizeof *im->entries);
    im->datasets = qz_arena_calloc(&im->arena, 1, sizeof *im->datasets);
    if (!im->entries || !im->datasets) return memory(path, err);
    for (int32_t i = 0; i < entries; i++) QZ_TRY(dat_entry(im, &c));
    if (c.at == n) return finish(im, path, err); /* older files end here */
    QZ_TRY(get(&c, 0, INT32_MAX, "last chunk", &chunks));
    im->chunk_count = (uint32_t)chunks;
    if (c.at == n) return finish(im, path, err);
    QZ_TRY(get(&c, 0, n - c.at, "length of the data set's name", &len));
    if ((size_t)len > n - c.at || (len && memchr(p + c.at, 0, (size_t)len)))
        return qz_fail(err, QZ_EFORMAT, "bad data set name: file '%s', offset %zu", path, c.at);
    char *set = qz_arena_strndup(&im->arena, (const char *)p + c.at, (size_t)len);
    if (!set) return memory(path, err);
    QZ_TRY(dat_note(im, set, path, err));
    im->datasets[0] = set;
    im->n_datasets = *set != 0;
    return finish(im, path, err);
}

qz_status qz_imatrix_open_memory(qz_imatrix *im, const void *bytes, size_t n, const char *name, qz_error *err) {
    memset(im, 0, sizeof *im);
    qz_status st;
    if (n >= 4 && memcmp(bytes, "GGUF", 4) == 0) {
        qz_gguf g;
        st = qz_gguf_open_memory(&g, bytes, n, name, err);
        if (st == QZ_OK) {
            st = read_gguf(im, &g, err);
            qz_gguf_release(&g);
        }
    } else if (n >= 4 && (st = qz_strange(bytes, n, name, "an importance matrix (.dat or GGUF)", err)) != QZ_OK)
        return st;
    else st = read_dat(im, bytes, n, name, err);
    if (st != QZ_OK) qz_imatrix_release(im);
    return st;
}

qz_status qz_imatrix_open(qz_imatrix *im, const char *path, qz_error *err) {
    qz_map m = {0};
    memset(im, 0, sizeof *im);
    QZ_TRY(qz_map_open(&m, path, err));
    qz_status st = qz_imatrix_open_memory(im, m.ptr, m.size, path, err);
    qz_map_release(&m);
    return st;
}

void qz_imatrix_release(qz_imatrix *im) {
    qz_arena_release(&im->arena);
    memset(im, 0, sizeof *im);
}

const char *qz_imatrix_note_of(const qz_imatrix *im, const char *key) {
    for (size_t i = 0; i < im->n_notes; i++)
        if (strcmp(im->notes[i].key, key) == 0) return im->notes[i].value;
    return NULL;
}

const qz_imatrix_entry *qz_imatrix_find(const qz_imatrix *im, const char *name) {
    qz_imatrix_entry key = { .name = name };
    return im->n ? bsearch(&key, im->entries, im->n, sizeof *im->entries, by_name) : NULL;
}

qz_status qz_imatrix_part(const qz_imatrix *im, const char *name, size_t n, size_t first, size_t count, float *w,
                          qz_error *err) {
    const qz_imatrix_entry *e = qz_imatrix_find(im, name);
    if (!e) return qz_fail(err, QZ_EUSAGE, "no importance for tensor '%s': measure it again with this model", name);
    if (e->cols * e->mats != n || first > n || count > n - first)
        return qz_fail(err, QZ_EFORMAT, "importance of another model: tensor '%s': expected %zu values, found %zu",
                       name, n, e->cols * e->mats);
    for (size_t i = first; i < first + count; i++) {
        const float rows = e->counts[i / e->cols], v = rows > 0 ? e->sums[i] / rows : 1.0f;
        if (!isfinite(v))
            return qz_fail(err, QZ_EFORMAT,
                           "bad importance: tensor '%s', value %zu: expected a finite mean, found %g over %g rows; "
                           "measure it again",
                           name, i, (double)e->sums[i], (double)rows);
        w[i - first] = v;
    }
    return QZ_OK;
}
qz_status qz_imatrix_weights(const qz_imatrix *im, const char *name, size_t n, float *w, qz_error *err) {
    return qz_imatrix_part(im, name, n, 0, n, w, err);
}

/* ---- writing ---- */
static void put_i32(qz_str *s, int64_t v) {
    uint8_t b[4];
    qz_store_u32le(b, (uint32_t)v);
    qz_str_append(s, b, 4);
}

/* value = mean · ncall, ncall = ceil(largest count / chunk): what older tools expect. */
static void put_dat_entry(qz_str *s, const qz_imatrix_entry *e, uint32_t chunk) {
    float most = 0;
    for (size_t m = 0; m < e->mats; m++) most = e->counts[m] > most ? e->counts[m] : most;
    int64_t calls = chunk ? (int64_t)ceil((double)most / chunk) : (int64_t)most;
    if (calls < 1) calls = 1;
    put_i32(s, (int64_t)strlen(e->name));
    qz_str_puts(s, e->name);
    put_i32(s, calls);
    put_i32(s, (int64_t)(e->cols * e->mats));
    for (size_t m = 0; m < e->mats; m++)
        for (size_t c = 0; c < e->cols; c++) {
            float v = e->sums[m * e->cols + c];
            if (chunk) v = e->counts[m] > 0 ? v / e->counts[m] * (float)calls : (float)calls;
            qz_str_append(s, &v, 4);
        }
}

static qz_status write_dat(const qz_imatrix *im, const char *path, qz_error *err) {
    qz_str s = {0};
    put_i32(&s, (int64_t)im->n);
    for (size_t i = 0; i < im->n; i++) put_dat_entry(&s, &im->entries[i], im->chunk_size);
    put_i32(&s, im->chunk_count);
    const char *set = im->n_datasets ? im->datasets[im->n_datasets - 1] : "";
    qz_str name = {0}; /* the form's only text: what must not be lost stands behind it */
    qz_str_puts(&name, set);
    for (size_t i = 0; i < im->n_notes; i++)
        if (im->notes[i].in_dat) qz_str_printf(&name, " [%s: %s]", im->notes[i].key, im->notes[i].value);
    put_i32(&s, (int64_t)name.len);
    qz_str_append(&s, name.ptr, name.len);
    s.failed |= name.failed;
    qz_str_release(&name);
    qz_status st = s.failed ? memory(path, err) : qz_stage_file(path, s.ptr, s.len, err);
    qz_str_release(&s);
    return st;
}

static qz_status put_gguf(qz_gguf_writer *w, const qz_imatrix_entry *e, float scale, qz_error *err) {
    for (size_t i = 0; i < e->cols * e->mats; i++) {
        float v = e->sums[i] * scale;
        QZ_TRY(qz_gguf_writer_write(w, &v, 4, err));
    }
    for (size_t m = 0; m < e->mats; m++) {
        float v = e->counts[m] * scale;
        QZ_TRY(qz_gguf_writer_write(w, &v, 4, err));
    }
    return QZ_OK;
}

static qz_status gguf_items(const qz_imatrix *im, qz_arena *a, qz_gguf_item **out, const char *path, qz_error *err) {
    qz_gguf_item *items = qz_arena_calloc(a, 2 * im->n + 1, sizeof *items);
    if (!items) return memory(path, err);
    for (size_t i = 0; i < im->n; i++) {
        const qz_imatrix_entry *e = &im->entries[i];
        uint32_t dims = e->mats > 1 ? 2 : 1;
        items[2 * i] = (qz_gguf_item){qz_arena_printf(a, "%s%s", e->name, sums_suffix), 0, dims, {e->cols, e->mats}};
        items[2 * i + 1] = (qz_gguf_item){qz_arena_printf(a, "%s%s", e->name, counts_suffix), 0, dims, {1, e->mats}};
        if (!items[2 * i].name || !items[2 * i + 1].name) return memory(path, err);
    }
    *out = items;
    return QZ_OK;
}

static qz_status write_gguf(const qz_imatrix *im, const char *path, qz_error *err) {
    qz_arena a = {0};
    qz_gguf_meta m = {0};
    qz_gguf_item *items = NULL;
    qz_gguf_writer w;
    uint32_t chunk = im->chunk_size ? im->chunk_size : DEFAULT_CHUNK;
    float scale = im->chunk_size ? 1.0f : (float)chunk; /* a .dat file counts calls of a whole chunk */
    qz_gguf_text *sets = qz_arena_alloc(&a, im->n_datasets + 1, sizeof *sets);
    bool open = false;
    qz_status st = sets ? gguf_items(im, &a, &items, path, err) : memory(path, err);
    if (st != QZ_OK) goto out;
    for (size_t i = 0; i < im->n_datasets; i++) sets[i] = (qz_gguf_text){ im->datasets[i], strlen(im->datasets[i]) };
    qz_gguf_put_str(&m, "general.type", "imatrix");
    qz_gguf_put_strings(&m, "imatrix.datasets", sets, im->n_datasets);
    qz_gguf_put_u32(&m, "imatrix.chunk_count", im->chunk_count);
    qz_gguf_put_u32(&m, "imatrix.chunk_size", chunk);
    for (size_t i = 0; i < im->n_notes; i++) qz_gguf_put_str(&m, im->notes[i].key, im->notes[i].value);
    QZ_GOTO(qz_gguf_writer_open(&w, path, &m, items, 2 * im->n, err));
    open = true;
    for (size_t i = 0; i < im->n; i++) QZ_GOTO(put_gguf(&w, &im->entries[i], scale, err));
    st = qz_gguf_writer_close(&w, NULL, err);
out:
    if (open) qz_gguf_writer_abort(&w, false); /* of one that is closed the file stays */
    qz_gguf_meta_release(&m);
    qz_arena_release(&a);
    return st;
}

/* Merged sums may be what no reader takes: a mean times its calls must stay a float, calls a 32-bit number. */
static qz_status check_written(const qz_imatrix *im, const char *path, qz_error *err) {
    const double most = 1e29, calls = 2147483647.0;
    for (size_t k = 0; k < im->n; k++) {
        const qz_imatrix_entry *e = &im->entries[k];
        for (size_t i = 0; i < e->cols * e->mats; i++) {
            const double rows = (double)e->counts[i / e->cols], sum = (double)e->sums[i];
            if (rows >= 0 && rows <= calls && sum >= 0 && sum <= 1e37 && (rows == 0 || sum / rows <= most)) continue;
            return qz_fail(err, QZ_EFORMAT,
                           "importance that no file can hold: '%s', entry '%s', value %zu: expected a sum up to 1e37 "
                           "over up to %.0f rows, found %g over %g; measure it again",
                           path, e->name, i, calls, sum, rows);
        }
    }
    return QZ_OK;
}

qz_status qz_imatrix_stage(qz_imatrix *im, const char *path, bool dat, qz_error *err) {
    QZ_TRY(check_written(im, path, err));
    if (im->n == 0) return qz_fail(err, QZ_EUSAGE, "no data in importance matrix: output '%s'", path);
    qsort(im->entries, im->n, sizeof *im->entries, by_name);
    return dat ? write_dat(im, path, err) : write_gguf(im, path, err);
}
qz_status qz_imatrix_write(qz_imatrix *im, const char *path, bool dat, qz_error *err) {
    QZ_TRY(qz_imatrix_stage(im, path, dat, err));
    return qz_commit_partial(path, err);
}
