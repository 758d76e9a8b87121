#include "calibrate/stats.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/page.h"
#include "base/plain.h"
#include "base/size.h"
#include "formats/strange.h"
#include <math.h>
#include <string.h>

enum { ALIGN = 64, HEADER_LIMIT = 1 << 20 };
static const char magic[8] = "QZSTATS1";

qz_linear qz_group_first(qz_input_group g) {
    int l = 0;
    while (l + 1 < QZ_LIN_COUNT && qz_group_of((qz_linear)l) != g) l++;
    return (qz_linear)l;
}
qz_input_group qz_group_of(qz_linear l) {
    switch (l) {
    case QZ_LIN_O: return QZ_GROUP_O;
    case QZ_LIN_GATE:
    case QZ_LIN_UP: return QZ_GROUP_GATE_UP;
    case QZ_LIN_DOWN: return QZ_GROUP_DOWN;
    default: return QZ_GROUP_QKV;
    }
}

size_t qz_stats_cols(const qz_stats_info *i, size_t layer, qz_input_group g) {
    if (layer == i->layers) return i->hidden_size;
    return g == QZ_GROUP_O ? i->o_cols : g == QZ_GROUP_DOWN ? i->intermediate_size : i->hidden_size;
}

static size_t triangle(size_t cols) { return cols * (cols + 1) / 2; }
static uint64_t aligned(uint64_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

/* Section offsets from `start`; widths were bounded by the caller. */
static void layout(const qz_stats_info *info, uint64_t start, uint64_t *offsets, uint64_t *total) {
    uint64_t at = aligned(start);
    for (size_t i = 0; i <= info->layers * QZ_GROUP_COUNT; i++) {
        size_t cols = qz_stats_cols(info, i / QZ_GROUP_COUNT, (qz_input_group)(i % QZ_GROUP_COUNT));
        offsets[i] = at;
        at = aligned(at + 4u * (2u * cols + triangle(cols)));
    }
    *total = at;
}

static void text_field(qz_str *s, const char *key, const char *value) {
    qz_str_printf(s, ",\"%s\":", key);
    qz_json_quote(s, value ? value : "", value ? strlen(value) : 0);
}

qz_status qz_stats_header(const qz_stats_info *i, qz_str *out, uint64_t *offsets, uint64_t *total, qz_error *err) {
    qz_str j = {0};
    qz_str_printf(&j, "{\"format\":1,\"layers\":%llu,\"hidden_size\":%llu,\"o_cols\":%llu,\"intermediate_size\":%llu,\"tokens\":%llu,"
                  "\"windows\":%llu,\"seq_len\":%llu,\"samples\":%llu,\"bos\":%s", (unsigned long long)i->layers,
                  (unsigned long long)i->hidden_size, (unsigned long long)i->o_cols, (unsigned long long)i->intermediate_size,
                  (unsigned long long)i->tokens, (unsigned long long)i->windows, (unsigned long long)i->seq_len,
                  (unsigned long long)i->samples, i->bos ? "true" : "false");
    text_field(&j, "data_sha", i->data_sha);
    text_field(&j, "source_sha", i->source_sha);
    text_field(&j, "reader", i->reader);
    text_field(&j, "data_name", i->data_name);
    text_field(&j, "template", i->chat_template);
    qz_str_putc(&j, '}');
    while (j.len % ALIGN != ALIGN - 16 && !j.failed) qz_str_putc(&j, ' ');
    uint64_t n = j.len;
    qz_str_append(out, magic, sizeof magic);
    qz_str_append(out, &n, sizeof n);
    qz_str_append(out, j.ptr, j.len);
    qz_str_release(&j);
    if (out->failed) return qz_fail(err, QZ_EMEMORY, "out of memory for the statistics header");
    layout(i, out->len, offsets, total);
    return QZ_OK;
}

static qz_status read_info(qz_stats *s, const json_t *root, const char *path, qz_error *err) {
    qz_stats_info *i = &s->info;
    QZ_TRY(qz_json_u64(root, "layers", path, &i->layers, err));
    QZ_TRY(qz_json_u64(root, "hidden_size", path, &i->hidden_size, err));
    QZ_TRY(qz_json_u64(root, "o_cols", path, &i->o_cols, err));
    QZ_TRY(qz_json_u64(root, "intermediate_size", path, &i->intermediate_size, err));
    QZ_TRY(qz_json_u64(root, "tokens", path, &i->tokens, err));
    QZ_TRY(qz_json_u64(root, "windows", path, &i->windows, err));
    QZ_TRY(qz_json_u64(root, "seq_len", path, &i->seq_len, err));
    QZ_TRY(qz_json_u64(root, "samples", path, &i->samples, err));
    QZ_TRY(qz_json_bool(root, "bos", path, &i->bos, err));
    const char **text[] = {&i->data_sha, &i->source_sha, &i->reader, &i->data_name, &i->chat_template};
    static const char *const keys[] = {"data_sha", "source_sha", "reader", "data_name", "template"};
    for (size_t k = 0; k < 5; k++) {
        const char *v = "";
        QZ_TRY(qz_json_str(root, keys[k], path, &v, err));
        *text[k] = qz_arena_strdup(&s->arena, v);
        if (*text[k] == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    }
    if (i->layers == 0 || i->layers > QZ_MAX_LAYERS || i->hidden_size == 0 || i->hidden_size > 1u << 20 || i->o_cols == 0 ||
        i->o_cols > 1u << 22 || i->intermediate_size == 0 || i->intermediate_size > 1u << 22 || i->tokens == 0)
        return qz_fail(err, QZ_EFORMAT, "statistics header out of range: file '%s'; calibrate again", path);
    return QZ_OK;
}

/* A pointer, a saved page or an archive in the file's place has a cure of its own. */
static bool not_downloaded(const qz_map *m) {
    const char *cure = NULL, *name = qz_magic_name((const char *)m->ptr, m->size, &cure);
    return qz_is_page(m->ptr, m->size) || (name && strcmp(name, "GGUF") != 0);
}

qz_status qz_stats_open(qz_stats *s, const char *path, qz_error *err) {
    *s = (qz_stats){0};
    QZ_TRY(qz_map_open(&s->map, path, err));
    json_t *root = NULL;
    qz_status st = QZ_OK;
    uint64_t n = s->map.size >= 16 ? qz_load_u64le(s->map.ptr + 8) : 0, total = 0;
    if (s->map.size < 16 || memcmp(s->map.ptr, magic, 8) != 0 || n > HEADER_LIMIT || n > s->map.size - 16) {
        if (not_downloaded(&s->map)) st = qz_strange(s->map.ptr, s->map.size, path, "a statistics file", err);
        if (st == QZ_OK) st = qz_fail(err, QZ_EFORMAT, "not a statistics file: '%s'; make one with: quantz calibrate MODEL --data F -o STATS", path);
        goto out;
    }
    QZ_GOTO(qz_json_parse((const char *)s->map.ptr + 16, (size_t)n, path, &root, err));
    QZ_GOTO(read_info(s, root, path, err));
    s->offsets = qz_arena_calloc(&s->arena, s->info.layers * QZ_GROUP_COUNT + 1, sizeof *s->offsets);
    if (s->offsets == NULL) {
        st = qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
        goto out;
    }
    layout(&s->info, 16 + n, s->offsets, &total);
    if (total != s->map.size)
        st = qz_fail(err, QZ_EFORMAT, "statistics file has a wrong size: file '%s': expected %llu bytes, found %zu; calibrate again", path,
                     (unsigned long long)total, s->map.size);
out:
    json_decref(root);
    if (st != QZ_OK) qz_stats_release(s);
    return st;
}
void qz_stats_release(qz_stats *s) {
    qz_map_release(&s->map);
    qz_arena_release(&s->arena);
    *s = (qz_stats){0};
}

qz_input_stats qz_stats_get(const qz_stats *s, size_t layer, qz_input_group g) {
    size_t cols = qz_stats_cols(&s->info, layer, g);
    const float *p = (const float *)(const void *)(s->map.ptr + s->offsets[layer * QZ_GROUP_COUNT + g]);
    return (qz_input_stats){.cols = cols, .tokens = s->info.tokens, .mean_abs = p, .max_abs = p + cols, .gram = p + 2 * cols};
}

void qz_stats_gram(const qz_input_stats *in, double *full) {
    const float *p = in->gram;
    for (size_t i = 0; i < in->cols; i++)
        for (size_t j = i; j < in->cols; j++, p++) full[i * in->cols + j] = full[j * in->cols + i] = *p;
}
void qz_stats_importance(const qz_input_stats *in, float *out) {
    const float *p = in->gram;
    for (size_t i = 0; i < in->cols; p += in->cols - i, i++) out[i] = *p;
}

qz_status qz_stats_check(const qz_stats *s, const qz_model *m, qz_error *err) {
    const qz_config *c = &m->config;
    const qz_stats_info *i = &s->info;
    if (i->layers == c->layers && i->hidden_size == c->hidden_size && i->o_cols == c->heads * c->head_dim && i->intermediate_size == c->intermediate_size)
        return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "statistics do not fit the model: file '%s': expected %llu layers of %llu, found %llu of %llu; calibrate this model",
                   s->map.path, (unsigned long long)c->layers, (unsigned long long)c->hidden_size, (unsigned long long)i->layers,
                   (unsigned long long)i->hidden_size);
}
