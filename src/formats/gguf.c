/* GGUF reader: header, metadata entries, tensor table. Checks: formats/gguf-container.md sections 4 and 6. */
#include "formats/gguf_int.h"
#include "base/bytes.h"
#include "base/size.h"
#include "base/utf8.h"
#include "formats/gguf_patch.h"
#include "formats/strange.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_KV 65536u
#define MAX_TENSORS 1048576u
#define MAX_HEADER ((uint64_t)1 << 30)
#define MAX_KEY 65535u
#define MAX_NAME 63u
#define MAX_DIM ((uint64_t)1 << 48)
#define MAX_ALIGNMENT (1u << 20)

static const qz_gguf_type types[] = {
#define QZ_GGUF_TYPE(id, name, elems, bytes) { name, id, elems, bytes },
#include "formats/gguf_types.def"
#undef QZ_GGUF_TYPE
};
#define N_TYPES (sizeof types / sizeof *types)

const qz_gguf_type *qz_gguf_type_get(uint32_t id) {
    for (size_t i = 0; i < N_TYPES; i++)
        if (types[i].id == id) return &types[i];
    return NULL;
}
const qz_gguf_type *qz_gguf_type_by_name(const char *name) {
    for (size_t i = 0; i < N_TYPES; i++)
        if (strcasecmp(types[i].name, name) == 0) return &types[i];
    return NULL;
}

static const struct { const char *name; uint32_t bytes; } kinds[QZ_GGUF_KIND_COUNT] = {
    { "u8", 1 }, { "i8", 1 }, { "u16", 2 }, { "i16", 2 }, { "u32", 4 }, { "i32", 4 }, { "f32", 4 },
    { "bool", 1 }, { "str", 0 }, { "arr", 0 }, { "u64", 8 }, { "i64", 8 }, { "f64", 8 },
};
const char *qz_gguf_kind_name(qz_gguf_kind k) { return (unsigned)k < QZ_GGUF_KIND_COUNT ? kinds[k].name : "unknown"; }

/* A cursor over the header; every read is checked against what is left. */
typedef struct { const qz_gguf *g; uint64_t at; } cursor;

static qz_status bad(const cursor *c, qz_error *err, const char *what) {
    return qz_fail(err, QZ_EFORMAT, "%s: file '%s', offset %llu", what, c->g->path, (unsigned long long)c->at);
}
static uint64_t left(const cursor *c) { return c->g->map.size - c->at; }

static qz_status get_u32(cursor *c, uint32_t *v, qz_error *err) {
    if (left(c) < 4) return bad(c, err, "header ends early, the file is truncated or corrupt");
    *v = qz_load_u32le(c->g->map.ptr + c->at);
    c->at += 4;
    return QZ_OK;
}
static qz_status get_u64(cursor *c, uint64_t *v, qz_error *err) {
    if (left(c) < 8) return bad(c, err, "header ends early, the file is truncated or corrupt");
    *v = qz_load_u64le(c->g->map.ptr + c->at);
    c->at += 8;
    return QZ_OK;
}
static qz_status get_text(cursor *c, const uint8_t **p, uint64_t *n, qz_error *err) {
    uint64_t at = c->at;
    QZ_TRY(get_u64(c, n, err));
    if (*n > left(c))
        return qz_fail(err, QZ_EFORMAT,
                       "string outside the file: file '%s', offset %llu: length %llu exceeds the remaining %llu bytes",
                       c->g->path, (unsigned long long)at, (unsigned long long)*n, (unsigned long long)left(c));
    *p = c->g->map.ptr + c->at;
    c->at += *n;
    return QZ_OK;
}

/* Copies a key or tensor name; printable ASCII for keys, no control bytes in names. */
static qz_status get_name(qz_gguf *g, cursor *c, bool key, size_t i, const char **out, qz_error *err) {
    const uint8_t *p = NULL;
    uint64_t n = 0, at = c->at;
    QZ_TRY(get_text(c, &p, &n, err));
    bool ok = n >= 1 && n <= (key ? MAX_KEY : MAX_NAME);
    for (uint64_t k = 0; ok && k < n; k++) ok = p[k] > (key ? 0x20 : 0x1f) && p[k] != 0x7f && (!key || p[k] < 0x7f);
    if (!ok)
        return qz_fail(err, QZ_EFORMAT, "bad %s: file '%s', entry %zu, offset %llu: expected 1..%u bytes without %s",
                       key ? "key" : "tensor name", g->path, i, (unsigned long long)at, key ? MAX_KEY : MAX_NAME,
                       key ? "blanks, control or non-ASCII bytes" : "control bytes");
    *out = qz_arena_strndup(&g->arena, (const char *)p, (size_t)n);
    return *out ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", g->path);
}

static qz_status check_bools(const cursor *c, const qz_gguf_kv *kv, qz_error *err) {
    for (uint64_t i = 0; i < kv->count; i++)
        if (kv->data[i] > 1)
            return qz_fail(err, QZ_EFORMAT, "bad bool: file '%s', key '%.200s': expected 0 or 1, found %u", c->g->path,
                           kv->key, kv->data[i]);
    return QZ_OK;
}

static qz_status get_array(cursor *c, qz_gguf_kv *kv, qz_error *err) {
    uint32_t elem = 0;
    QZ_TRY(get_u32(c, &elem, err));
    QZ_TRY(get_u64(c, &kv->count, err));
    if (elem == QZ_GGUF_ARR)
        return qz_fail(err, QZ_EUNSUPPORTED, "nested array: file '%s', key '%.200s': nested arrays are not supported",
                       c->g->path, kv->key);
    if (elem >= QZ_GGUF_KIND_COUNT)
        return qz_fail(err, QZ_EFORMAT, "unknown value type: file '%s', key '%.200s': found %u", c->g->path, kv->key,
                       elem);
    kv->elem = (qz_gguf_kind)elem;
    uint64_t unit = elem == QZ_GGUF_STR ? 8 : kinds[elem].bytes;
    if (kv->count > left(c) / unit)
        return qz_fail(err, QZ_EFORMAT,
                       "array outside the file: file '%s', key '%.200s', offset %llu: %llu elements exceed the "
                       "remaining %llu bytes",
                       c->g->path, kv->key, (unsigned long long)c->at, (unsigned long long)kv->count,
                       (unsigned long long)left(c));
    uint64_t start = c->at;
    kv->data = c->g->map.ptr + start;
    if (elem == QZ_GGUF_STR) {
        const uint8_t *p;
        uint64_t n;
        for (uint64_t i = 0; i < kv->count; i++) QZ_TRY(get_text(c, &p, &n, err));
    } else c->at += kv->count * unit;
    kv->bytes = c->at - start;
    return elem == QZ_GGUF_BOOL ? check_bools(c, kv, err) : QZ_OK;
}

static qz_status get_kv(qz_gguf *g, cursor *c, size_t i, qz_error *err) {
    qz_gguf_kv *kv = &g->kv[i];
    uint32_t kind = 0;
    QZ_TRY(get_name(g, c, true, i, &kv->key, err));
    QZ_TRY(get_u32(c, &kind, err));
    if (kind >= QZ_GGUF_KIND_COUNT)
        return qz_fail(err, QZ_EFORMAT, "unknown value type: file '%s', key '%.200s': found %u", g->path, kv->key,
                       kind);
    kv->kind = (qz_gguf_kind)kind;
    kv->elem = kv->kind;
    kv->count = 1;
    if (kind == QZ_GGUF_ARR) return get_array(c, kv, err);
    if (kind == QZ_GGUF_STR) {
        QZ_TRY(get_text(c, &kv->data, &kv->bytes, err));
        if (qz_utf8_valid((const char *)kv->data, (size_t)kv->bytes)) return QZ_OK;
        return qz_fail(err, QZ_EFORMAT, "text is not UTF-8: file '%s', key '%.200s': %llu bytes at offset %llu",
                       g->path, kv->key, (unsigned long long)kv->bytes, (unsigned long long)(c->at - kv->bytes));
    }
    kv->bytes = kinds[kind].bytes;
    kv->data = g->map.ptr + c->at;
    if (kv->bytes > left(c)) return bad(c, err, "header ends early, the file is truncated or corrupt");
    c->at += kv->bytes;
    return kind == QZ_GGUF_BOOL ? check_bools(c, kv, err) : QZ_OK;
}

static qz_status tensor_size(const qz_gguf *g, qz_gguf_tensor *t, qz_error *err) {
    bool ok = t->dims[0] % t->type->elems == 0;
    t->elems = 1;
    for (uint32_t i = 0; ok && i < t->n_dims; i++)
        ok = t->dims[i] >= 1 && t->dims[i] <= MAX_DIM && qz_mul_u64(t->elems, t->dims[i], &t->elems);
    ok = ok && qz_mul_u64(t->elems / t->type->elems, t->type->bytes, &t->bytes);
    if (!ok)
        return qz_fail(err, QZ_EFORMAT,
                       "bad shape: file '%s', tensor '%s': dims %llu %llu %llu %llu do not fit type %s (blocks of %u)",
                       g->path, t->name, (unsigned long long)t->dims[0], (unsigned long long)t->dims[1],
                       (unsigned long long)t->dims[2], (unsigned long long)t->dims[3], t->type->name, t->type->elems);
    return QZ_OK;
}

static qz_status get_tensor(qz_gguf *g, cursor *c, size_t i, qz_error *err) {
    qz_gguf_tensor *t = &g->tensors[i];
    uint32_t type = 0;
    QZ_TRY(get_name(g, c, false, i, &t->name, err));
    QZ_TRY(get_u32(c, &t->n_dims, err));
    if (t->n_dims > QZ_GGUF_MAX_DIMS)
        return qz_fail(err, QZ_EFORMAT, "too many dimensions: file '%s', tensor '%s': expected at most 4, found %u",
                       g->path, t->name, t->n_dims);
    for (uint32_t k = 0; k < QZ_GGUF_MAX_DIMS; k++) t->dims[k] = 1;
    for (uint32_t k = 0; k < t->n_dims; k++) QZ_TRY(get_u64(c, &t->dims[k], err));
    if (t->n_dims == 0) t->n_dims = 1; /* one element */
    QZ_TRY(get_u32(c, &type, err));
    QZ_TRY(get_u64(c, &t->offset, err)); /* relative until place_tensors */
    t->type = qz_gguf_type_get(type);
    if (!t->type)
        return qz_fail(err, QZ_EUNSUPPORTED, "unsupported tensor type: file '%s', tensor '%s': found type %u", g->path,
                       t->name, type);
    return tensor_size(g, t, err);
}

static int by_offset(const void *a, const void *b) {
    const qz_gguf_tensor *x = *(const qz_gguf_tensor *const *)a, *y = *(const qz_gguf_tensor *const *)b;
    return x->offset != y->offset ? (x->offset < y->offset ? -1 : 1) : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}
static int cmp_name(const void *a, const void *b, void *arg) {
    const qz_gguf_tensor *t = arg;
    return strcmp(t[*(const uint32_t *)a].name, t[*(const uint32_t *)b].name);
}
static int cmp_key(const void *a, const void *b) {
    return strcmp((*(const qz_gguf_kv *const *)a)->key, (*(const qz_gguf_kv *const *)b)->key);
}

static uint64_t round_up(uint64_t v, uint64_t a) { return (v + a - 1) / a * a; } /* v is bounded by the file size */

/* Absolute offsets; inside the file; aligned; no overlap. */
static qz_status place_tensors(qz_gguf *g, qz_error *err) {
    uint64_t room = g->map.size > g->data_start ? g->map.size - g->data_start : 0, run = 0;
    const qz_gguf_tensor **sorted = qz_arena_alloc(&g->arena, g->n + 1, sizeof *sorted);
    if (!sorted) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", g->path);
    g->packed = true;
    g->data_end = g->data_start;
    for (size_t i = 0; i < g->n; i++) {
        qz_gguf_tensor *t = &g->tensors[i];
        if (t->offset % g->alignment)
            return qz_fail(err, QZ_EFORMAT, "unaligned data: file '%s', tensor '%s': offset %llu is no multiple of %u",
                           g->path, t->name, (unsigned long long)t->offset, g->alignment);
        if (t->bytes > room || t->offset > room - t->bytes)
            return qz_fail(err, QZ_EFORMAT,
                           "tensor data outside the file: file '%s', tensor '%s': %llu bytes at data offset %llu, data "
                           "section has %llu; the file is truncated or corrupt",
                           g->path, t->name, (unsigned long long)t->bytes, (unsigned long long)t->offset,
                           (unsigned long long)room);
        if (t->offset != run) g->packed = false;
        run += round_up(t->bytes, g->alignment);
        t->offset += g->data_start;
        t->data = g->map.ptr + t->offset;
        t->file = g->path;
        if (t->offset + t->bytes > g->data_end) g->data_end = t->offset + t->bytes;
        sorted[i] = t;
    }
    if (g->n) qsort(sorted, g->n, sizeof *sorted, by_offset);
    for (size_t i = 1; i < g->n; i++)
        if (sorted[i - 1]->offset + sorted[i - 1]->bytes > sorted[i]->offset)
            return qz_fail(err, QZ_EFORMAT,
                           "overlapping tensors: file '%s', tensor '%s': data at offset %llu overlaps tensor '%s'",
                           g->path, sorted[i]->name, (unsigned long long)sorted[i]->offset, sorted[i - 1]->name);
    uint64_t full = g->n ? g->data_start + round_up(g->data_end - g->data_start, g->alignment) : g->data_end;
    if (g->n == 0 && round_up(full, g->alignment) <= g->map.size) full = round_up(full, g->alignment); /* padded */
    g->short_padding = g->n && full > g->map.size;
    g->trailing = full < g->map.size ? g->map.size - full : 0;
    return QZ_OK;
}

qz_status qz_gguf_index(qz_gguf *g, qz_error *err) {
    g->by_name = qz_arena_alloc(&g->arena, g->n + 1, sizeof *g->by_name);
    if (!g->by_name) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", g->path);
    for (size_t i = 0; i < g->n; i++) g->by_name[i] = (uint32_t)i;
    if (g->n) qsort_r(g->by_name, g->n, sizeof *g->by_name, cmp_name, g->tensors);
    for (size_t i = 1; i < g->n; i++) {
        const qz_gguf_tensor *t = &g->tensors[g->by_name[i - 1]], *u = &g->tensors[g->by_name[i]];
        if (strcmp(t->name, u->name)) continue;
        if (t->part == u->part)
            return qz_fail(err, QZ_EFORMAT, "duplicate tensor: file '%s', tensor '%s'", g->path, u->name);
        return qz_fail(err, QZ_EFORMAT, "duplicate tensor: tensor '%s' stands in '%s' and in '%s'", t->name,
                       t->part < u->part ? t->file : u->file, t->part < u->part ? u->file : t->file);
    }
    return QZ_OK;
}

static qz_status check_unique(qz_gguf *g, qz_error *err) {
    const qz_gguf_kv **keys = qz_arena_alloc(&g->arena, g->n_kv + 1, sizeof *keys);
    if (!keys) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", g->path);
    for (size_t i = 0; i < g->n_kv; i++) keys[i] = &g->kv[i];
    if (g->n_kv) qsort(keys, g->n_kv, sizeof *keys, cmp_key);
    for (size_t i = 1; i < g->n_kv; i++)
        if (strcmp(keys[i - 1]->key, keys[i]->key) == 0)
            return qz_fail(err, QZ_EFORMAT, "duplicate key: file '%s', key '%.200s'", g->path, keys[i]->key);
    return qz_gguf_index(g, err);
}

static qz_status check_version(qz_gguf *g, qz_error *err) {
    if (g->map.size < 4 || memcmp(g->map.ptr, "GGUF", 4))
        QZ_TRY(qz_strange(g->map.ptr, g->map.size, g->path, "a GGUF file", err));
    if (g->map.size < 24)
        return qz_fail(err, QZ_EFORMAT, "not a GGUF file: file '%s': expected at least 24 bytes, found %zu", g->path,
                       g->map.size);
    if (memcmp(g->map.ptr, "GGUF", 4))
        return qz_fail(err, QZ_EFORMAT, "not a GGUF file: file '%s', offset 0: expected the bytes 'GGUF'", g->path);
    g->version = qz_load_u32le(g->map.ptr + 4);
    if (g->version == 2 || g->version == 3) return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED, "unsupported GGUF version: file '%s', offset 4: expected 2 or 3, found %u%s",
                   g->path, g->version,
                   (g->version & 0xffff) == 0 ? " (a big-endian file)"
                   : g->version == 1          ? "; convert the file again"
                                              : "");
}

qz_status qz_gguf_parse(qz_gguf *g, qz_error *err) {
    QZ_TRY(check_version(g, err));
    cursor c = { g, 8 };
    uint64_t n_tensors = 0, n_kv = 0, need = 0;
    QZ_TRY(get_u64(&c, &n_tensors, err));
    QZ_TRY(get_u64(&c, &n_kv, err));
    if (n_kv <= MAX_KV && n_tensors <= MAX_TENSORS) need = n_kv * 13 + n_tensors * 24; /* smallest possible entries */
    if (n_kv > MAX_KV || n_tensors > MAX_TENSORS || need > left(&c))
        return qz_fail(err, QZ_EFORMAT,
                       "header claims too much: file '%s', offset 8: %llu tensors and %llu keys, file has room for "
                       "%llu bytes of them",
                       g->path, (unsigned long long)n_tensors, (unsigned long long)n_kv, (unsigned long long)left(&c));
    g->kv = qz_arena_calloc(&g->arena, (size_t)n_kv + 1, sizeof *g->kv);
    g->tensors = qz_arena_calloc(&g->arena, (size_t)n_tensors + 1, sizeof *g->tensors);
    if (!g->kv || !g->tensors) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", g->path);
    for (size_t i = 0; i < n_kv; i++) {
        QZ_TRY(get_kv(g, &c, i, err));
        g->n_kv++;
    }
    g->kv_end = c.at;
    const qz_gguf_kv *a = qz_gguf_key(g, QZ_GGUF_ALIGNMENT_KEY);
    g->alignment = QZ_GGUF_ALIGNMENT;
    if (a) {
        g->alignment = a->kind == QZ_GGUF_U32 ? qz_load_u32le(a->data) : 0;
        if (g->alignment == 0 || g->alignment > MAX_ALIGNMENT || (g->alignment & (g->alignment - 1)))
            return qz_fail(err, QZ_EFORMAT,
                           "bad alignment: file '%s', key 'general.alignment': expected a u32 power of two in 1..2^20",
                           g->path);
    }
    for (size_t i = 0; i < n_tensors; i++) {
        QZ_TRY(get_tensor(g, &c, i, err));
        g->n++;
    }
    if (c.at > MAX_HEADER) return bad(&c, err, "header larger than 1 GiB");
    QZ_TRY(check_unique(g, err));
    g->data_start = g->n ? round_up(c.at, g->alignment) : c.at;
    g->file_bytes = g->map.size;
    return place_tensors(g, err);
}

qz_status qz_gguf_open_part(qz_gguf *g, const char *path, qz_error *err) {
    memset(g, 0, sizeof *g);
    if (qz_gguf_patch_left(path))
        return qz_fail(err, QZ_EFORMAT,
                       "an edit was interrupted: file '%s': '%s.undo' holds what it was; 'quantz gguf repair %s' takes "
                       "it back",
                       path, path, path);
    QZ_TRY(qz_map_open(&g->map, path, err));
    g->path = g->map.path;
    qz_status s = qz_gguf_parse(g, err);
    if (s != QZ_OK) qz_gguf_release(g);
    return s;
}

qz_status qz_gguf_open_memory(qz_gguf *g, const void *bytes, size_t n, const char *name, qz_error *err) {
    memset(g, 0, sizeof *g);
    g->map.ptr = bytes;
    g->map.size = n;
    g->path = name;
    qz_status s = qz_gguf_parse(g, err);
    if (s != QZ_OK) qz_gguf_release(g);
    return s;
}

void qz_gguf_release(qz_gguf *g) {
    for (size_t i = 0; i < g->n_more; i++) { /* parts have no parts */
        qz_map_release(&g->more[i].map);
        qz_arena_release(&g->more[i].arena);
    }
    qz_free(g->more);
    if (g->map.path) qz_map_release(&g->map); /* borrowed memory has no path */
    qz_arena_release(&g->arena);
    memset(g, 0, sizeof *g);
}

const qz_gguf_tensor *qz_gguf_find(const qz_gguf *g, const char *name) {
    size_t lo = 0, hi = g->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(name, g->tensors[g->by_name[mid]].name);
        if (c == 0) return &g->tensors[g->by_name[mid]];
        if (c < 0) hi = mid;
        else lo = mid + 1;
    }
    return NULL;
}
