/* GGUF metadata: typed access to the entries of an open file, and the list of entries of a file to be written. */
#include "formats/gguf.h"
#include "base/bytes.h"
#include "base/size.h"
#include <string.h>

const qz_gguf_kv *qz_gguf_key(const qz_gguf *g, const char *key) {
    for (size_t i = 0; i < g->n_kv; i++)
        if (strcmp(g->kv[i].key, key) == 0) return &g->kv[i];
    return NULL;
}

static qz_status wrong(const qz_gguf *g, const char *key, const char *expected, const qz_gguf_kv *kv, qz_error *err) {
    if (!kv) return qz_fail(err, QZ_EFORMAT, "missing key: file '%s', key '%s': expected %s", g->path, key, expected);
    return qz_fail(err, QZ_EFORMAT, "wrong type: file '%s', key '%s': expected %s, found %s%s%s", g->path, key,
                   expected, qz_gguf_kind_name(kv->kind), kv->kind == QZ_GGUF_ARR ? " of " : "",
                   kv->kind == QZ_GGUF_ARR ? qz_gguf_kind_name(kv->elem) : "");
}

/* Integer of any width at p; false for other kinds and negative values. */
static bool load_uint(qz_gguf_kind k, const uint8_t *p, uint64_t *out) {
    int64_t v;
    switch (k) {
    case QZ_GGUF_U8: *out = p[0]; return true;
    case QZ_GGUF_U16: *out = qz_load_u16le(p); return true;
    case QZ_GGUF_U32: *out = qz_load_u32le(p); return true;
    case QZ_GGUF_U64: *out = qz_load_u64le(p); return true;
    case QZ_GGUF_I8: v = (int8_t)p[0]; break;
    case QZ_GGUF_I16: v = (int16_t)qz_load_u16le(p); break;
    case QZ_GGUF_I32: v = (int32_t)qz_load_u32le(p); break;
    case QZ_GGUF_I64: v = (int64_t)qz_load_u64le(p); break;
    default: return false;
    }
    *out = (uint64_t)v;
    return v >= 0;
}

bool qz_gguf_i64(const qz_gguf_kv *kv, int64_t *out) {
    uint64_t v = 0;
    const bool fits = load_uint(kv->kind, kv->data, &v);
    const bool integer = fits || kv->kind == QZ_GGUF_I8 || kv->kind == QZ_GGUF_I16 || kv->kind == QZ_GGUF_I32 ||
                         kv->kind == QZ_GGUF_I64;
    *out = (int64_t)v;
    return integer && (!fits || v <= INT64_MAX);
}
qz_status qz_gguf_u64(const qz_gguf *g, const char *key, bool required, uint64_t *out, qz_error *err) {
    const qz_gguf_kv *kv = qz_gguf_key(g, key);
    if (!kv && !required) return QZ_OK;
    uint64_t v;
    if (!kv || !load_uint(kv->kind, kv->data, &v)) {
        int64_t negative;
        if (!kv || !qz_gguf_i64(kv, &negative)) return wrong(g, key, "a non-negative integer", kv, err);
        return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key '%s': expected a non-negative integer, found %lld",
                       g->path, key, (long long)negative);
    }
    *out = v;
    return QZ_OK;
}

static size_t width(qz_gguf_kind k) {
    static const uint8_t w[QZ_GGUF_KIND_COUNT] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    return w[k];
}

qz_status qz_gguf_u64_at(const qz_gguf *g, const char *key, size_t i, uint64_t *out, qz_error *err) {
    const qz_gguf_kv *kv = qz_gguf_key(g, key);
    uint64_t v;
    if (!kv) return wrong(g, key, "an integer or an array of integers", kv, err);
    if (kv->kind != QZ_GGUF_ARR) i = 0; /* one value for all layers */
    if (i >= kv->count)
        return qz_fail(err, QZ_EFORMAT,
                       "array too short: file '%s', key '%s': expected more than %zu elements, found %llu", g->path,
                       key, i, (unsigned long long)kv->count);
    if (!load_uint(kv->elem, kv->data + i * width(kv->elem), &v))
        return wrong(g, key, "non-negative integers", kv, err);
    *out = v;
    return QZ_OK;
}

qz_status qz_gguf_f64(const qz_gguf *g, const char *key, bool required, double *out, qz_error *err) {
    const qz_gguf_kv *kv = qz_gguf_key(g, key);
    if (!kv && !required) return QZ_OK;
    if (kv && kv->kind == QZ_GGUF_F32) *out = (double)qz_load_f32le(kv->data);
    else if (kv && kv->kind == QZ_GGUF_F64) *out = qz_load_f64le(kv->data);
    else return wrong(g, key, "f32", kv, err);
    return QZ_OK;
}

qz_status qz_gguf_bool(const qz_gguf *g, const char *key, bool required, bool *out, qz_error *err) {
    const qz_gguf_kv *kv = qz_gguf_key(g, key);
    if (!kv && !required) return QZ_OK;
    if (!kv || kv->kind != QZ_GGUF_BOOL) return wrong(g, key, "bool", kv, err);
    *out = kv->data[0] != 0;
    return QZ_OK;
}

qz_status qz_gguf_str(const qz_gguf *g, const char *key, bool required, qz_gguf_text *out, qz_error *err) {
    const qz_gguf_kv *kv = qz_gguf_key(g, key);
    if (!kv && !required) return QZ_OK;
    if (!kv || kv->kind != QZ_GGUF_STR) return wrong(g, key, "str", kv, err);
    *out = (qz_gguf_text){ (const char *)kv->data, (size_t)kv->bytes };
    return QZ_OK;
}

qz_status qz_gguf_strings(const qz_gguf *g, const char *key, bool required, qz_arena *a, qz_gguf_text **out, size_t *n,
                          qz_error *err) {
    const qz_gguf_kv *kv = qz_gguf_key(g, key);
    *out = NULL;
    *n = 0;
    if (!kv && !required) return QZ_OK;
    if (!kv || kv->kind != QZ_GGUF_ARR || kv->elem != QZ_GGUF_STR) return wrong(g, key, "an array of str", kv, err);
    qz_gguf_text *v = qz_arena_alloc(a, (size_t)kv->count + 1, sizeof *v);
    if (!v) return qz_fail(err, QZ_EMEMORY, "out of memory: file '%s', key '%s'", g->path, key);
    const uint8_t *p = kv->data; /* lengths were checked when the file was opened */
    for (size_t i = 0; i < kv->count; i++) {
        v[i] = (qz_gguf_text){ (const char *)p + 8, (size_t)qz_load_u64le(p) };
        p += 8 + v[i].n;
    }
    *out = v;
    *n = (size_t)kv->count;
    return QZ_OK;
}

qz_status qz_gguf_array(const qz_gguf *g, const char *key, qz_gguf_kind elem, bool required, const uint8_t **data,
                        size_t *n, qz_error *err) {
    const qz_gguf_kv *kv = qz_gguf_key(g, key);
    *data = NULL;
    *n = 0;
    if (!kv && !required) return QZ_OK;
    if (!kv || kv->kind != QZ_GGUF_ARR || kv->elem != elem) {
        char expected[32];
        (void)snprintf(expected, sizeof expected, "an array of %.8s", qz_gguf_kind_name(elem));
        return wrong(g, key, expected, kv, err);
    }
    *data = kv->data;
    *n = (size_t)kv->count;
    return QZ_OK;
}

/* ---- entries to be written ---- */
static void put_u32(qz_str *s, uint32_t v) {
    uint8_t b[4];
    qz_store_u32le(b, v);
    qz_str_append(s, b, 4);
}
static void put_u64(qz_str *s, uint64_t v) {
    uint8_t b[8];
    qz_store_u64le(b, v);
    qz_str_append(s, b, 8);
}
static void put_key(qz_gguf_meta *m, const char *key, qz_gguf_kind kind) {
    put_u64(&m->bytes, strlen(key));
    qz_str_puts(&m->bytes, key);
    put_u32(&m->bytes, (uint32_t)kind);
    m->n++;
}
static void put_array(qz_gguf_meta *m, const char *key, qz_gguf_kind elem, size_t n) {
    put_key(m, key, QZ_GGUF_ARR);
    put_u32(&m->bytes, (uint32_t)elem);
    put_u64(&m->bytes, n);
}

void qz_gguf_meta_release(qz_gguf_meta *m) {
    qz_str_release(&m->bytes);
    *m = (qz_gguf_meta){0};
}
void qz_gguf_put_u16(qz_gguf_meta *m, const char *key, uint16_t v) {
    put_key(m, key, QZ_GGUF_U16);
    qz_str_append(&m->bytes, (uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8)}, 2);
}
void qz_gguf_put_u32(qz_gguf_meta *m, const char *key, uint32_t v) {
    put_key(m, key, QZ_GGUF_U32);
    put_u32(&m->bytes, v);
    if (strcmp(key, QZ_GGUF_ALIGNMENT_KEY) == 0) m->alignment = v;
}
void qz_gguf_put_i32(qz_gguf_meta *m, const char *key, int32_t v) {
    put_key(m, key, QZ_GGUF_I32);
    put_u32(&m->bytes, (uint32_t)v);
}
void qz_gguf_put_u64(qz_gguf_meta *m, const char *key, uint64_t v) {
    put_key(m, key, QZ_GGUF_U64);
    put_u64(&m->bytes, v);
}
void qz_gguf_put_f32(qz_gguf_meta *m, const char *key, float v) {
    put_key(m, key, QZ_GGUF_F32);
    put_u32(&m->bytes, qz_f32_bits(v));
}
void qz_gguf_put_bool(qz_gguf_meta *m, const char *key, bool v) {
    put_key(m, key, QZ_GGUF_BOOL);
    qz_str_putc(&m->bytes, v ? 1 : 0);
}
void qz_gguf_put_text(qz_gguf_meta *m, const char *key, const char *s, size_t n) {
    put_key(m, key, QZ_GGUF_STR);
    put_u64(&m->bytes, n);
    qz_str_append(&m->bytes, s, n);
}
void qz_gguf_put_str(qz_gguf_meta *m, const char *key, const char *s) { qz_gguf_put_text(m, key, s, strlen(s)); }
void qz_gguf_put_strings(qz_gguf_meta *m, const char *key, const qz_gguf_text *v, size_t n) {
    put_array(m, key, QZ_GGUF_STR, n);
    for (size_t i = 0; i < n; i++) {
        put_u64(&m->bytes, v[i].n);
        qz_str_append(&m->bytes, v[i].ptr, v[i].n);
    }
}
void qz_gguf_put_u32s(qz_gguf_meta *m, const char *key, const uint32_t *v, size_t n) {
    put_array(m, key, QZ_GGUF_U32, n);
    qz_str_append(&m->bytes, v, n * sizeof *v);
}
void qz_gguf_put_i32s(qz_gguf_meta *m, const char *key, const int32_t *v, size_t n) {
    put_array(m, key, QZ_GGUF_I32, n);
    qz_str_append(&m->bytes, v, n * sizeof *v);
}
void qz_gguf_put_u8s(qz_gguf_meta *m, const char *key, const uint8_t *v, size_t n) {
    put_array(m, key, QZ_GGUF_U8, n);
    qz_str_append(&m->bytes, v, n);
}
void qz_gguf_put_bools(qz_gguf_meta *m, const char *key, const uint8_t *v, size_t n) {
    put_array(m, key, QZ_GGUF_BOOL, n);
    qz_str_append(&m->bytes, v, n);
}
void qz_gguf_put_f32s(qz_gguf_meta *m, const char *key, const float *v, size_t n) {
    put_array(m, key, QZ_GGUF_F32, n);
    qz_str_append(&m->bytes, v, n * sizeof *v);
}
void qz_gguf_put_kv(qz_gguf_meta *m, const qz_gguf_kv *kv) {
    if (kv->kind == QZ_GGUF_ARR) put_array(m, kv->key, kv->elem, (size_t)kv->count);
    else put_key(m, kv->key, kv->kind);
    if (kv->kind == QZ_GGUF_STR) put_u64(&m->bytes, kv->bytes);
    qz_str_append(&m->bytes, kv->data, (size_t)kv->bytes);
    /* its reader has checked it */
    if (strcmp(kv->key, QZ_GGUF_ALIGNMENT_KEY) == 0 && kv->kind == QZ_GGUF_U32) m->alignment = qz_load_u32le(kv->data);
}
