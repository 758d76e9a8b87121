/* safetensors reader. Hostile input: see formats/safetensors.md sections 3 and 4. */
#include "formats/safetensors.h"
#include "base/json.h"
#include "base/size.h"
#include "base/bytes.h"
#include "formats/dtypes.h"
#include "formats/strange.h"
#include <stdlib.h>
#include <string.h>

static const struct { const char *name; uint32_t bits; } dtypes[QZ_ST_DTYPE_COUNT] = {
#define QZ_ST_DTYPE(id, name, bits) [QZ_ST_##id] = { name, bits },
#include "formats/dtypes.def"
#undef QZ_ST_DTYPE
};

const char *qz_st_dtype_name(qz_st_dtype d) { return dtypes[d].name; }
uint32_t qz_st_dtype_bits(qz_st_dtype d) { return dtypes[d].bits; }
qz_st_dtype qz_st_dtype_by_name(const char *name) {
    for (int i = 0; i < QZ_ST_DTYPE_COUNT; i++)
        if (strcmp(dtypes[i].name, name) == 0) return (qz_st_dtype)i;
    return QZ_ST_DTYPE_COUNT;
}

/* jansson reads "-0" as 0 and offers no switch: a legal header has no minus sign outside strings. */
static bool has_minus(const char *s, size_t n) {
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (in_string) {
            if (s[i] == '\\') i++;
            else if (s[i] == '"') in_string = false;
        } else if (s[i] == '"') in_string = true;
        else if (s[i] == '-') return true;
    }
    return false;
}

static bool name_ok(const char *s) {
    size_t n = strlen(s);
    if (n == 0 || n > QZ_ST_MAX_NAME) return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) return false;
    return true;
}

static qz_status read_u64(const qz_st *st, const char *tensor, const char *field, const json_t *v, uint64_t *out,
                          qz_error *err) {
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return qz_fail(err, QZ_EFORMAT,
                       "bad number: file '%s', tensor '%s', field '%s': expected an integer in 0..2^63-1", st->path,
                       tensor, field);
    *out = (uint64_t)json_integer_value(v);
    return QZ_OK;
}

/* Product from left to right in 64 bits, then bits; the reference evaluates in the same order. */
static qz_status shape_bytes(const qz_st *st, qz_st_tensor *t, uint64_t *bytes, qz_error *err) {
    uint64_t n = 1, bits = 0;
    for (uint32_t i = 0; i < t->n_dims; i++)
        if (!qz_mul_u64(n, t->dims[i], &n))
            return qz_fail(err, QZ_EFORMAT, "shape overflows 64 bits: file '%s', tensor '%s'", st->path, t->name);
    if (!qz_mul_u64(n, dtypes[t->dtype].bits, &bits))
        return qz_fail(err, QZ_EFORMAT, "shape overflows 64 bits: file '%s', tensor '%s'", st->path, t->name);
    if (bits % 8)
        return qz_fail(err, QZ_EFORMAT,
                       "size is no whole number of bytes: file '%s', tensor '%s': %llu elements of %u bits", st->path,
                       t->name, (unsigned long long)n, dtypes[t->dtype].bits);
    t->elems = n;
    *bytes = bits / 8;
    return QZ_OK;
}

static qz_status read_tensor(qz_st *st, const char *name, const json_t *v, qz_st_tensor *t, qz_error *err) {
    const char *p = st->path;
    if (!name_ok(name))
        return qz_fail(err, QZ_EFORMAT,
                       "bad tensor name: file '%s': expected 1..%u bytes without control characters, found '%.40s'", p,
                       QZ_ST_MAX_NAME, name);
    if (!json_is_object(v))
        return qz_fail(err, QZ_EFORMAT, "bad header entry: file '%s', tensor '%.200s': expected an object", p, name);
    const json_t *dt = json_object_get(v, "dtype"), *sh = json_object_get(v, "shape"),
                 *of = json_object_get(v, "data_offsets");
    if (!json_is_string(dt) || !json_is_array(sh) || !json_is_array(of))
        return qz_fail(err, QZ_EFORMAT,
                       "bad header entry: file '%s', tensor '%.200s': expected dtype, shape and data_offsets", p, name);
    t->name = qz_arena_strdup(&st->arena, name);
    if (!t->name) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", p);
    t->dtype = qz_st_dtype_by_name(json_string_value(dt));
    if (t->dtype == QZ_ST_DTYPE_COUNT)
        return qz_fail(err, QZ_EFORMAT, "unknown dtype: file '%s', tensor '%.200s': found '%.40s'", p, name,
                       json_string_value(dt));
    if (json_array_size(sh) > QZ_ST_MAX_DIMS)
        return qz_fail(err, QZ_EFORMAT,
                       "too many dimensions: file '%s', tensor '%.200s': expected at most %d, found %zu", p, name,
                       QZ_ST_MAX_DIMS, json_array_size(sh));
    t->n_dims = (uint32_t)json_array_size(sh);
    for (uint32_t i = 0; i < t->n_dims; i++)
        QZ_TRY(read_u64(st, name, "shape", json_array_get(sh, i), &t->dims[i], err));
    if (json_array_size(of) != 2)
        return qz_fail(err, QZ_EFORMAT, "bad data_offsets: file '%s', tensor '%.200s': expected 2 numbers, found %zu",
                       p, name, json_array_size(of));
    uint64_t begin = 0, end = 0, bytes = 0;
    QZ_TRY(read_u64(st, name, "data_offsets", json_array_get(of, 0), &begin, err));
    QZ_TRY(read_u64(st, name, "data_offsets", json_array_get(of, 1), &end, err));
    QZ_TRY(shape_bytes(st, t, &bytes, err));
    if (end < begin || end - begin != bytes)
        return qz_fail(err, QZ_EFORMAT,
                       "size does not fit the shape: file '%s', tensor '%.200s': expected %llu bytes, found "
                       "data_offsets [%llu, %llu]",
                       p, name, (unsigned long long)bytes, (unsigned long long)begin, (unsigned long long)end);
    uint64_t room = st->map.size - st->header_bytes;
    if (end > room)
        return qz_fail(err, QZ_EFORMAT,
                       "tensor data outside the file: file '%s', tensor '%.200s': ends at %llu, data section has %llu "
                       "bytes; the file is truncated or corrupt",
                       p, name, (unsigned long long)end, (unsigned long long)room);
    t->bytes = bytes;
    t->offset = st->header_bytes + begin;
    t->data = st->map.ptr + t->offset;
    return QZ_OK;
}

static qz_status read_meta(qz_st *st, const json_t *v, qz_error *err) {
    if (json_is_null(v)) return QZ_OK;
    if (!json_is_object(v))
        return qz_fail(err, QZ_EFORMAT, "bad '__metadata__': file '%s': expected an object", st->path);
    st->meta = qz_arena_calloc(&st->arena, json_object_size(v) + 1, sizeof *st->meta);
    if (!st->meta) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", st->path);
    const char *key;
    json_t *val;
    json_object_foreach((json_t *)(uintptr_t)v, key, val) {
        if (!json_is_string(val))
            return qz_fail(err, QZ_EFORMAT, "bad '__metadata__': file '%s', key '%.80s': expected a string", st->path,
                           key);
        qz_st_meta *m = &st->meta[st->n_meta++];
        m->key = qz_arena_strdup(&st->arena, key);
        m->value = qz_arena_strdup(&st->arena, json_string_value(val));
        if (!m->key || !m->value) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s'", st->path);
    }
    return QZ_OK;
}

static int by_offset(const void *a, const void *b) {
    const qz_st_tensor *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}
static int by_name(const void *a, const void *b, void *arg) {
    const qz_st_tensor *t = arg;
    return strcmp(t[*(const uint32_t *)a].name, t[*(const uint32_t *)b].name);
}

/* No holes, no overlap, no trailing bytes: the tensors tile the data section. */
static qz_status check_tiling(const qz_st *st, qz_error *err) {
    uint64_t at = st->header_bytes;
    for (size_t i = 0; i < st->n; i++) {
        const qz_st_tensor *t = &st->tensors[i];
        if (t->offset != at)
            return qz_fail(err, QZ_EFORMAT,
                           "%s in the data section: file '%s', tensor '%.200s', offset %llu: expected data to begin at "
                           "%llu",
                           t->offset > at ? "hole" : "overlap", st->path, t->name, (unsigned long long)t->offset,
                           (unsigned long long)at);
        at += t->bytes;
    }
    if (at != st->map.size)
        return qz_fail(err, QZ_EFORMAT, "trailing bytes: file '%s': data ends at offset %llu, file has %zu bytes",
                       st->path, (unsigned long long)at, st->map.size);
    return QZ_OK;
}

static qz_status read_entries(qz_st *st, const json_t *root, qz_error *err) {
    if (!json_is_object(root))
        return qz_fail(err, QZ_EFORMAT, "bad header: file '%s', offset 8: expected a JSON object", st->path);
    size_t count = json_object_size(root);
    if (count > QZ_ST_MAX_TENSORS)
        return qz_fail(err, QZ_EFORMAT, "too many tensors: file '%s': expected at most %u, found %zu", st->path,
                       QZ_ST_MAX_TENSORS, count);
    st->tensors = qz_arena_calloc(&st->arena, count + 1, sizeof *st->tensors);
    st->by_name = qz_arena_calloc(&st->arena, count + 1, sizeof *st->by_name);
    if (!st->tensors || !st->by_name)
        return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s', %zu tensors", st->path, count);
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)root, key, v) {
        if (strcmp(key, "__metadata__") == 0) QZ_TRY(read_meta(st, v, err));
        else {
            QZ_TRY(read_tensor(st, key, v, &st->tensors[st->n], err));
            st->n++;
        }
    }
    if (st->n) qsort(st->tensors, st->n, sizeof *st->tensors, by_offset);
    for (size_t i = 0; i < st->n; i++) st->by_name[i] = (uint32_t)i;
    if (st->n) qsort_r(st->by_name, st->n, sizeof *st->by_name, by_name, st->tensors);
    return check_tiling(st, err);
}

static qz_status parse(qz_st *st, qz_error *err) {
    const char *p = st->path;
    size_t size = st->map.size;
    if (size < 8) QZ_TRY(qz_strange(st->map.ptr, size, p, "a safetensors header", err));
    if (size < 8)
        return qz_fail(err, QZ_EFORMAT, "not a safetensors file: file '%s': expected at least 8 bytes, found %zu", p,
                       size);
    uint64_t n = qz_load_u64le(st->map.ptr);
    if (n > QZ_ST_MAX_HEADER || n > size - 8) QZ_TRY(qz_strange(st->map.ptr, size, p, "a safetensors header", err));
    if (n > QZ_ST_MAX_HEADER)
        return qz_fail(err, QZ_EFORMAT, "header too large: file '%s', offset 0: expected at most %u bytes, found %llu",
                       p, QZ_ST_MAX_HEADER, (unsigned long long)n);
    if (n > size - 8)
        return qz_fail(err, QZ_EFORMAT,
                       "header outside the file: file '%s', offset 0: header length %llu, file has %zu bytes; the file "
                       "is truncated or corrupt",
                       p, (unsigned long long)n, size);
    st->header_bytes = 8 + n;
    const char *text = (const char *)st->map.ptr + 8;
    if (n == 0) return qz_fail(err, QZ_EFORMAT, "empty header: file '%s', offset 8", p);
    if (has_minus(text, (size_t)n))
        return qz_fail(err, QZ_EFORMAT, "bad number: file '%s': header holds a signed number", p);
    json_t *root = NULL;
    QZ_TRY(qz_json_parse(text, (size_t)n, p, &root, err));
    qz_status st_ = read_entries(st, root, err);
    json_decref(root);
    return st_;
}

qz_status qz_st_open(qz_st *st, const char *path, qz_error *err) {
    memset(st, 0, sizeof *st);
    QZ_TRY(qz_map_open(&st->map, path, err));
    st->path = st->map.path;
    qz_status s = parse(st, err);
    if (s != QZ_OK) qz_st_release(st);
    return s;
}

qz_status qz_st_open_memory(qz_st *st, const void *bytes, size_t n, const char *name, qz_error *err) {
    memset(st, 0, sizeof *st);
    st->map.ptr = bytes;
    st->map.size = n;
    st->path = name;
    qz_status s = parse(st, err);
    if (s != QZ_OK) qz_st_release(st);
    return s;
}

void qz_st_release(qz_st *st) {
    if (st->map.path) qz_map_release(&st->map); /* borrowed memory has no path */
    qz_arena_release(&st->arena);
    memset(st, 0, sizeof *st);
}

const qz_st_tensor *qz_st_find(const qz_st *st, const char *name) {
    size_t lo = 0, hi = st->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(name, st->tensors[st->by_name[mid]].name);
        if (c == 0) return &st->tensors[st->by_name[mid]];
        if (c < 0) hi = mid;
        else lo = mid + 1;
    }
    return NULL;
}

const char *qz_st_metadata(const qz_st *st, const char *key) {
    for (size_t i = 0; i < st->n_meta; i++)
        if (strcmp(st->meta[i].key, key) == 0) return st->meta[i].value;
    return NULL;
}
