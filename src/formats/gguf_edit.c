#include "formats/gguf_edit.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/size.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_LIMIT ((size_t)64 << 20)
#define OVERRIDE_TEXT 127u

static const struct { const char *key, *why; } fixed[] = {
#define QZ_GGUF_FIXED(key, why) {key, why},
#include "formats/gguf_fixed.def"
#undef QZ_GGUF_FIXED
};

const char *qz_gguf_fixed(const char *key) {
    const char *rest = strchr(key, '.');
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        const char *f = fixed[i].key;
        if (*f == '*' ? rest && strcmp(rest, f + 1) == 0 : strcmp(key, f) == 0) return fixed[i].why;
    }
    return NULL;
}

const char *qz_gguf_value_text(const qz_gguf_kv *kv, char buf[96]) {
    const int64_t none = 0;
    int64_t i = none;
    if (kv->kind == QZ_GGUF_ARR)
        (void)snprintf(buf, 96, "%llu x %s", (unsigned long long)kv->count, qz_gguf_kind_name(kv->elem));
    else if (kv->kind == QZ_GGUF_STR) {
        const size_t n = qz_min_size((size_t)kv->bytes, 60);
        (void)snprintf(buf, 96, "\"%.*s%s\"", (int)n, (const char *)kv->data, n < kv->bytes ? "…" : "");
        for (char *c = buf; *c; c++)
            if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
    } else if (kv->kind == QZ_GGUF_BOOL) (void)snprintf(buf, 96, "%s", kv->data[0] ? "true" : "false");
    else if (kv->kind == QZ_GGUF_F32) (void)snprintf(buf, 96, "%.9g", (double)qz_load_f32le(kv->data));
    else if (kv->kind == QZ_GGUF_F64) (void)snprintf(buf, 96, "%.17g", qz_load_f64le(kv->data));
    else if (qz_gguf_i64(kv, &i)) (void)snprintf(buf, 96, "%lld", (long long)i);
    else (void)snprintf(buf, 96, "%llu", (unsigned long long)qz_load_u64le(kv->data));
    return buf;
}

static qz_status memory(qz_error *err) { return qz_fail(err, QZ_EMEMORY, "out of memory editing keys"); }

/* ---- values ---- */
static qz_status no_value(const char *key, qz_gguf_kind kind, const char *text, qz_error *err) {
    return qz_fail(err, QZ_EUSAGE, "bad value for key '%.200s': expected %s, found '%.60s'", key,
                   kind == QZ_GGUF_BOOL ? "true or false" : qz_gguf_kind_name(kind), text);
}

static qz_status put_int(qz_gguf_kind kind, const char *key, const char *text, uint8_t out[8], qz_error *err) {
    static const struct { qz_gguf_kind kind; unsigned bits; bool sign; } kinds[] = {
        {QZ_GGUF_U8, 8, false},   {QZ_GGUF_I8, 8, true},    {QZ_GGUF_U16, 16, false}, {QZ_GGUF_I16, 16, true},
        {QZ_GGUF_U32, 32, false}, {QZ_GGUF_I32, 32, true},  {QZ_GGUF_U64, 64, false}, {QZ_GGUF_I64, 64, true}};
    const bool minus = *text == '-';
    char *end = NULL;
    errno = 0;
    const unsigned long long v = strtoull(text + minus, &end, 10);
    bool ok = text[minus] >= '0' && text[minus] <= '9' && *end == 0 && errno == 0;
    for (size_t i = 0; ok && i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].kind != kind) continue;
        const uint64_t top = kinds[i].bits - kinds[i].sign < 64 ? ((uint64_t)1 << (kinds[i].bits - kinds[i].sign)) - 1
                                                                : UINT64_MAX;
        ok = minus ? kinds[i].sign && v <= top + 1 : v <= top;
    }
    if (!ok) return no_value(key, kind, text, err);
    qz_store_u64le(out, minus ? 0 - (uint64_t)v : (uint64_t)v);
    return QZ_OK;
}

static qz_status put_real(qz_gguf_kind kind, const char *key, const char *text, uint8_t out[8], qz_error *err) {
    char *end = NULL;
    const double v = strtod(text, &end);
    if (*text == 0 || *end || !isfinite(v) || (kind == QZ_GGUF_F32 && !isfinite((float)v)))
        return no_value(key, kind, text, err);
    if (kind == QZ_GGUF_F32) qz_store_u32le(out, qz_f32_bits((float)v));
    else {
        uint64_t bits;
        memcpy(&bits, &v, sizeof bits);
        qz_store_u64le(out, bits);
    }
    return QZ_OK;
}

/* Fills v->value from the text; '@FILE' is what the file holds, byte by byte. */
static qz_status value_of(qz_gguf_edits *e, qz_gguf_edit *v, qz_gguf_kind kind, const char *text, bool files,
                          qz_error *err) {
    static const uint64_t widths[QZ_GGUF_KIND_COUNT] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    uint8_t *data = qz_arena_calloc(&e->arena, 1, 8);
    v->value = (qz_gguf_kv){.key = v->key, .kind = kind, .elem = kind, .count = 1, .data = data, .bytes = widths[kind]};
    v->text = text;
    if (data == NULL) return memory(err);
    if (kind == QZ_GGUF_STR && files && *text == '@') {
        char *got = NULL;
        size_t n = 0;
        QZ_TRY(qz_read_file(text + 1, TEXT_LIMIT, &got, &n, err));
        const char *kept = qz_arena_strndup(&e->arena, got, n);
        qz_free(got);
        v->value.data = (const uint8_t *)kept;
        v->value.bytes = n;
        return kept ? QZ_OK : memory(err);
    }
    if (kind == QZ_GGUF_STR) {
        v->value.data = (const uint8_t *)text;
        v->value.bytes = strlen(text);
        return QZ_OK;
    }
    if (kind == QZ_GGUF_BOOL) {
        if (strcmp(text, "true") && strcmp(text, "false")) return no_value(v->key, kind, text, err);
        data[0] = *text == 't';
        return QZ_OK;
    }
    return kind == QZ_GGUF_F32 || kind == QZ_GGUF_F64 ? put_real(kind, v->key, text, data, err)
                                                      : put_int(kind, v->key, text, data, err);
}

/* ---- what is asked for ---- */
static bool kind_named(const char *name, size_t n, qz_gguf_kind *out) {
    for (int k = 0; k < QZ_GGUF_KIND_COUNT; k++) {
        const char *kind = qz_gguf_kind_name((qz_gguf_kind)k);
        if (strlen(kind) == n && strncmp(kind, name, n) == 0) return *out = (qz_gguf_kind)k, k != QZ_GGUF_ARR;
    }
    return false;
}

static qz_status usable_key(const char *key, qz_error *err) {
    const size_t n = strlen(key);
    bool ok = n >= 1 && n <= 255;
    for (size_t i = 0; i < n; i++) ok = ok && key[i] > 0x20 && key[i] < 0x7f;
    if (!ok)
        return qz_fail(err, QZ_EUSAGE, "bad key '%.80s': expected 1 to 255 letters without blanks, for example "
                       "general.name", key);
    const char *why = qz_gguf_fixed(key);
    if (why)
        return qz_fail(err, QZ_EUSAGE, "key '%s' cannot be edited: it %s; the file would not be read any more", key,
                       why);
    return QZ_OK;
}

/* Ids of tokens must be those of the vocabulary that is there. */
static qz_status token_there(const qz_gguf *g, const qz_gguf_edit *v, qz_error *err) {
    const qz_gguf_kv *tokens = g ? qz_gguf_key(g, "tokenizer.ggml.tokens") : NULL;
    int64_t id = 0;
    if (!qz_str_ends(v->key, "_token_id") || tokens == NULL || !qz_gguf_i64(&v->value, &id)) return QZ_OK;
    if (id >= 0 && (uint64_t)id < tokens->count) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "bad value for key '%s': expected the id of one of %llu tokens, found %lld", v->key,
                   (unsigned long long)tokens->count, (long long)id);
}

/* KEY[:TYPE]=VALUE */
static qz_status parse_set(qz_gguf_edits *e, const qz_gguf *g, const char *text, qz_gguf_edit *v, qz_error *err) {
    const char *eq = strchr(text, '='), *colon = eq ? memchr(text, ':', (size_t)(eq - text)) : NULL;
    qz_gguf_kind kind = QZ_GGUF_STR;
    if (eq == NULL || eq == text)
        return qz_fail(err, QZ_EUSAGE,
                       "bad edit '%.80s': expected KEY=VALUE, KEY:TYPE=VALUE for a new key, or KEY=@FILE", text);
    v->key = qz_arena_strndup(&e->arena, text, (size_t)((colon ? colon : eq) - text));
    if (v->key == NULL) return memory(err);
    QZ_TRY(usable_key(v->key, err));
    if (colon && !kind_named(colon + 1, (size_t)(eq - colon - 1), &kind))
        return qz_fail(err, QZ_EUSAGE,
                       "unknown type '%.*s' of key '%s': expected u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, bool "
                       "or str", (int)(eq - colon - 1), colon + 1, v->key);
    const qz_gguf_kv *now = qz_gguf_key(g, v->key);
    if (now && now->kind == QZ_GGUF_ARR)
        return qz_fail(err, QZ_EUSAGE, "key '%s' cannot be edited: expected one value, found an array of %llu %s",
                       v->key, (unsigned long long)now->count, qz_gguf_kind_name(now->elem));
    if (now && colon && now->kind != kind)
        return qz_fail(err, QZ_EUSAGE, "wrong type of key '%s': expected %s, as it is in '%s', found %s", v->key,
                       qz_gguf_kind_name(now->kind), g->path, qz_gguf_kind_name(kind));
    if (!now && !colon && eq[1] != '@')
        return qz_fail(err, QZ_EUSAGE, "no key '%s' in '%s': give its type to add it, for example %s:str=…", v->key,
                       g->path, v->key);
    QZ_TRY(value_of(e, v, now ? now->kind : kind, eq + 1, true, err));
    return token_there(g, v, err);
}

static qz_status parse_unset(qz_gguf_edits *e, const qz_gguf *g, const char *text, qz_gguf_edit *v, qz_error *err) {
    v->key = qz_arena_strdup(&e->arena, text);
    if (v->key == NULL) return memory(err);
    QZ_TRY(usable_key(v->key, err));
    v->unset = true;
    if (qz_gguf_key(g, v->key)) return QZ_OK;
    qz_near near = {.word = text, .limit = 6};
    for (size_t i = 0; i < g->n_kv; i++) (void)qz_near_see(&near, g->kv[i].key);
    return qz_fail(err, QZ_EUSAGE, "no key '%.80s' in '%s'%s%s%s", text, g->path, near.best ? ": nearest is '" : "",
                   near.best ? near.best : "", near.best ? "'" : "");
}

/* KEY=TYPE:VALUE */
static qz_status parse_override(qz_gguf_edits *e, const char *text, qz_gguf_edit *v, qz_error *err) {
    static const struct { const char *name; qz_gguf_kind kind; } types[] = {
        {"int:", QZ_GGUF_U32}, {"float:", QZ_GGUF_F32}, {"bool:", QZ_GGUF_BOOL}, {"str:", QZ_GGUF_STR}};
    const char *eq = strchr(text, '=');
    size_t t = 0;
    while (eq && t < 4 && !qz_str_starts(eq + 1, types[t].name)) t++;
    if (eq == NULL || eq == text || eq - text > 127 || t == 4)
        return qz_fail(err, QZ_EUSAGE,
                       "bad value '%.80s' for --override-kv: expected KEY=TYPE:VALUE with int, float, bool or str, for "
                       "example qwen3.rope.freq_base=float:1000000", text);
    v->key = qz_arena_strndup(&e->arena, text, (size_t)(eq - text));
    const char *value = eq + 1 + strlen(types[t].name);
    if (v->key == NULL) return memory(err);
    QZ_TRY(usable_key(v->key, err));
    if (types[t].kind == QZ_GGUF_STR && strlen(value) > OVERRIDE_TEXT)
        return qz_fail(err, QZ_EUSAGE,
                       "text too long for key '%s': expected at most %u bytes with --override-kv, found %zu; 'quantz "
                       "gguf set' takes any length", v->key, OVERRIDE_TEXT, strlen(value));
    return value_of(e, v, types[t].kind, value + (types[t].kind == QZ_GGUF_U32 && *value == '-'), false, err);
}

qz_status qz_gguf_edit_parse(qz_gguf_edits *e, const qz_gguf *g, const char *text, qz_gguf_edit_how how,
                             qz_error *err) {
    qz_gguf_edit v = {0};
    QZ_TRY(how == QZ_GGUF_SET     ? parse_set(e, g, text, &v, err)
           : how == QZ_GGUF_UNSET ? parse_unset(e, g, text, &v, err)
                                  : parse_override(e, text, &v, err));
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->v[i].key, v.key) == 0)
            return qz_fail(err, QZ_EUSAGE, "key '%s' is given twice: expected one value", v.key);
    qz_gguf_edit *more = qz_realloc_array(e->v, e->n + 1, sizeof *more);
    if (more == NULL) return memory(err);
    e->v = more;
    e->v[e->n++] = v;
    return QZ_OK;
}

void qz_gguf_edits_release(qz_gguf_edits *e) {
    qz_free(e->v);
    qz_arena_release(&e->arena);
    *e = (qz_gguf_edits){0};
}

qz_status qz_gguf_edit_apply(const qz_gguf_edits *e, const qz_gguf *g, const char *skip, qz_gguf_meta *meta,
                             qz_error *err) {
    for (size_t i = 0; i < g->n_kv; i++) {
        const qz_gguf_edit *v = NULL;
        for (size_t k = 0; k < e->n && !v; k++)
            if (strcmp(e->v[k].key, g->kv[i].key) == 0) v = &e->v[k];
        if ((v && v->unset) || (skip && strcmp(g->kv[i].key, skip) == 0)) continue;
        qz_gguf_put_kv(meta, v ? &v->value : &g->kv[i]);
    }
    for (size_t k = 0; k < e->n; k++)
        if (!e->v[k].unset && !qz_gguf_key(g, e->v[k].key)) qz_gguf_put_kv(meta, &e->v[k].value);
    return meta->bytes.failed ? memory(err) : QZ_OK;
}
