#include "calibrate/stats.h"
#include "base/bytes.h"
#include "base/half.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/page.h"
#include "base/plain.h"
#include "base/size.h"
#include "formats/strange.h"
#include "model/kinds.h"
#include "text/accepted.h"
#include <math.h>
#include <string.h>

enum { ALIGN = 64, HEADER_LIMIT = 1 << 20 };
static const char magic[8] = QZ_STATS_MAGIC;

static size_t triangle(size_t cols) { return cols * (cols + 1) / 2; }
static uint64_t aligned(uint64_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

static uint64_t section_bytes(const qz_stats_info *i, const qz_input *in) {
    return 4u * (2u * in->cols + triangle(in->cols)) +
           (in->expert >= 0 ? sizeof(uint64_t) : i->held * in->cols * sizeof(uint16_t));
}

size_t qz_stats_sections(const qz_input_widths *w) {
    size_t n = 0;
    for (size_t l = 0; l <= w->layers; l++) n += qz_inputs(w, l);
    return n;
}

/* Section offsets from `start`; widths were bounded by the caller. */
static void layout(const qz_stats_info *info, uint64_t start, uint64_t *offsets, uint64_t *total) {
    uint64_t at = aligned(start);
    for (size_t l = 0, k = 0; l <= info->in.layers; l++)
        for (size_t i = 0; i < qz_inputs(&info->in, l); i++) {
            const qz_input in = qz_input_at(&info->in, l, i);
            offsets[k++] = at;
            at = aligned(at + section_bytes(info, &in));
            if (at > (uint64_t)1 << 62) { /* a header that lies: no file is that long */
                *total = UINT64_MAX;
                return;
            }
        }
    *total = at;
}

/* Files of dense models are as they were before there were experts, those of one kind of mixer as before there were
 * two: what is not there has no key. The first widths have always been written. */
static bool always(qz_wide w) { return w == QZ_WIDE_HIDDEN || w == QZ_WIDE_HEADS || w == QZ_WIDE_FFN; }
static void width_field(qz_json_writer *w, const qz_input_widths *in, qz_wide wide) {
    if (qz_wide_key(wide) && (always(wide) || in->wide[wide])) qz_jw_count(w, qz_wide_key(wide), in->wide[wide]);
}

static const char *const halves[QZ_SUBS] = {[QZ_SUB_MIXER] = "mixers", [QZ_SUB_FFN] = "feed_forwards"};
/* What a layer's half is where a file does not say. */
static qz_kind_id usual(qz_sub sub, bool experts, bool dense) {
    return sub == QZ_SUB_MIXER ? QZ_KIND_ATTENTION : experts && !dense ? QZ_KIND_EXPERTS : QZ_KIND_MLP;
}
/* Layers without experts, then kinds by layer where one is not the usual. */
static void kinds_fields(qz_json_writer *w, const qz_input_widths *in) {
    if (in->experts) qz_jw_open(w, "dense_layers", '[');
    for (size_t l = 0; in->experts && l < in->layers; l++)
        if (!qz_inputs_sparse(in, l)) qz_jw_count(w, NULL, l);
    if (in->experts) qz_jw_close(w, ']');
    for (int sub = 0; sub < QZ_SUBS; sub++) {
        bool other = false;
        for (size_t l = 0; l < in->layers; l++)
            other |= in->kind[sub][l] != usual((qz_sub)sub, in->experts, !qz_inputs_sparse(in, l));
        if (!other) continue;
        qz_jw_open(w, halves[sub], '[');
        for (size_t l = 0; l < in->layers; l++) qz_jw_text(w, NULL, qz_kind_word((qz_kind_id)in->kind[sub][l]));
        qz_jw_close(w, ']');
    }
}
static void header_text(qz_json_writer *w, const char *key, const char *value) {
    qz_jw_text(w, key, value ? value : "");
}
/* Keys that are not usual are written only where they are needed: other files stay as they were. */
static void header_fields(qz_json_writer *w, const qz_stats_info *i) {
    qz_jw_count(w, "format", 1);
    qz_jw_count(w, "layers", i->in.layers);
    for (int k = 0; k < QZ_WIDES; k++)
        if (always((qz_wide)k)) width_field(w, &i->in, (qz_wide)k);
    qz_jw_count(w, "tokens", i->tokens);
    qz_jw_count(w, "windows", i->windows);
    qz_jw_count(w, "seq_len", i->seq_len);
    qz_jw_count(w, "samples", i->samples);
    qz_jw_bool(w, "bos", i->bos);
    header_text(w, "data_sha", i->data_sha);
    header_text(w, "source_sha", i->source_sha);
    header_text(w, "reader", i->reader);
    header_text(w, "data_name", i->data_name);
    header_text(w, "template", i->chat_template);
    if (i->held) qz_jw_count(w, "held", i->held);
    if (i->no_bos) qz_jw_bool(w, "no_bos", true);
    if (i->raw) qz_jw_bool(w, "raw", true);
    if (i->lengths) qz_jw_count(w, "lengths", i->lengths);
    if (i->route_all) qz_jw_bool(w, "route_all", true);
    if (i->accepted && *i->accepted) qz_jw_text(w, QZ_ACCEPTED_KEY, i->accepted);
    if (i->in.experts) qz_jw_count(w, "experts", i->in.experts);
    for (int k = 0; k < QZ_WIDES; k++)
        if (!always((qz_wide)k)) width_field(w, &i->in, (qz_wide)k);
    kinds_fields(w, &i->in);
}

qz_status qz_stats_header(const qz_stats_info *i, qz_str *out, uint64_t *offsets, uint64_t *total, qz_error *err) {
    qz_str j = {0};
    qz_json_writer w = {.out = &j};
    qz_jw_open(&w, NULL, '{');
    header_fields(&w, i);
    qz_jw_close(&w, '}');
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

/* Kinds of a half, one word a layer; false: not such a list. */
static bool read_kinds(qz_input_widths *w, const json_t *list, qz_sub sub) {
    bool ok = json_is_array(list) && json_array_size(list) == w->layers;
    for (size_t l = 0; ok && l < w->layers; l++) {
        const char *word = json_string_value(json_array_get(list, l));
        int k = 0;
        while (word && k < QZ_KIND_COUNT &&
               (qz_kind_sub((qz_kind_id)k) != sub || strcmp(qz_kind_word((qz_kind_id)k), word) != 0))
            k++;
        ok = word && k < QZ_KIND_COUNT;
        w->kind[sub][l] = (uint8_t)k;
    }
    return ok;
}

static bool widths_in_range(const qz_input_widths *w) {
    bool ok = w->layers && w->layers <= QZ_MAX_LAYERS && w->wide[QZ_WIDE_HIDDEN] <= 1u << 20 &&
              w->experts <= QZ_MAX_EXPERTS && (w->experts == 0) == (w->wide[QZ_WIDE_EXPERT] == 0);
    for (int i = 0; i < QZ_WIDES; i++) {
        const bool none = i == QZ_WIDE_FFN && w->experts; /* nothing but experts; read_layers looks at each layer */
        ok = ok && w->wide[i] <= 1u << 22 && (w->wide[i] || none || !always((qz_wide)i));
    }
    return ok;
}

/* Which layer is what; every width that its inputs have is there. */
static bool read_layers(qz_input_widths *w, const json_t *root) {
    const json_t *dense = json_object_get(root, "dense_layers");
    bool ok = dense == NULL || json_is_array(dense), is_dense[QZ_MAX_LAYERS] = {false};
    for (size_t i = 0; ok && i < json_array_size(dense); i++) {
        const json_int_t l = json_integer_value(json_array_get(dense, i));
        ok = json_is_integer(json_array_get(dense, i)) && l >= 0 && (uint64_t)l < w->layers;
        if (ok) is_dense[l] = true;
    }
    for (int s = 0; ok && s < QZ_SUBS; s++) {
        const json_t *list = json_object_get(root, halves[s]);
        for (size_t l = 0; l < w->layers; l++) w->kind[s][l] = (uint8_t)usual((qz_sub)s, w->experts, is_dense[l]);
        ok = list == NULL || read_kinds(w, list, (qz_sub)s);
    }
    for (size_t l = 0; ok && l < w->layers; l++) {
        ok = w->experts || !qz_inputs_sparse(w, l);
        for (size_t i = 0; ok && i < qz_stages(w, l); i++) ok = qz_stage_input(w, l, i).cols != 0;
    }
    return ok;
}

static qz_status read_widths(qz_input_widths *w, const json_t *root, const char *path, qz_error *err) {
    QZ_TRY(qz_json_u64(root, "layers", path, &w->layers, err));
    for (int i = 0; i < QZ_WIDES; i++)
        if (qz_wide_key((qz_wide)i)) QZ_TRY(qz_json_u64(root, qz_wide_key((qz_wide)i), path, &w->wide[i], err));
    QZ_TRY(qz_json_u64(root, "experts", path, &w->experts, err));
    if (widths_in_range(w) && read_layers(w, root)) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT, "statistics header out of range: file '%s'; calibrate again", path);
}

static qz_status read_info(qz_stats *s, const json_t *root, const char *path, qz_error *err) {
    qz_stats_info *i = &s->info;
    QZ_TRY(read_widths(&i->in, root, path, err));
    QZ_TRY(qz_json_u64(root, "tokens", path, &i->tokens, err));
    QZ_TRY(qz_json_u64(root, "windows", path, &i->windows, err));
    QZ_TRY(qz_json_u64(root, "seq_len", path, &i->seq_len, err));
    QZ_TRY(qz_json_u64(root, "samples", path, &i->samples, err));
    QZ_TRY(qz_json_bool(root, "bos", path, &i->bos, err));
    QZ_TRY(qz_json_bool(root, "no_bos", path, &i->no_bos, err));
    QZ_TRY(qz_json_bool(root, "raw", path, &i->raw, err));
    QZ_TRY(qz_json_u64(root, "lengths", path, &i->lengths, err));
    QZ_TRY(qz_json_bool(root, "route_all", path, &i->route_all, err));
    QZ_TRY(qz_json_u64(root, "held", path, &i->held, err));
    if (i->lengths > 2 || i->held > QZ_HELD_MOST || i->held > i->tokens)
        return qz_fail(err, QZ_EFORMAT, "statistics header out of range: file '%s'; calibrate again", path);
    const char **text[] = {&i->data_sha, &i->source_sha, &i->reader, &i->data_name, &i->chat_template, &i->accepted};
    static const char *const keys[] = {"data_sha", "source_sha", "reader", "data_name", "template", QZ_ACCEPTED_KEY};
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        const char *v = "";
        QZ_TRY(qz_json_str(root, keys[k], path, &v, err));
        *text[k] = qz_arena_strdup(&s->arena, v);
        if (*text[k] == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    }
    return i->tokens ? QZ_OK
                     : qz_fail(err, QZ_EFORMAT, "statistics header out of range: file '%s'; calibrate again", path);
}

/* Counts of experts: no expert saw more than there was. */
static qz_status check_counts(const qz_stats *s, const char *path, qz_error *err) {
    for (size_t l = 0; l < s->info.in.layers; l++)
        for (size_t i = 0; i < qz_inputs(&s->info.in, l); i++) {
            const uint64_t n = qz_stats_get(s, l, i).tokens;
            if (n > s->info.tokens)
                return qz_fail(err, QZ_EFORMAT,
                               "bad token count in statistics: file '%s', layer %zu, input %zu: expected at most %llu, "
                               "found %llu; calibrate again",
                               path, l, i, (unsigned long long)s->info.tokens, (unsigned long long)n);
        }
    return QZ_OK;
}

/* Offsets of all sections, and where each layer's begin. */
static qz_status find_sections(qz_stats *s, uint64_t start, const char *path, qz_error *err) {
    const qz_input_widths *w = &s->info.in;
    uint64_t total = 0;
    s->offsets = qz_arena_calloc(&s->arena, qz_stats_sections(w), sizeof *s->offsets);
    s->first = qz_arena_calloc(&s->arena, w->layers + 2, sizeof *s->first);
    if (!s->offsets || !s->first) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    for (size_t l = 0; l <= w->layers; l++) s->first[l + 1] = s->first[l] + qz_inputs(w, l);
    layout(&s->info, start, s->offsets, &total);
    if (total == s->map.size) return check_counts(s, path, err);
    return qz_fail(err, QZ_EFORMAT,
                   "statistics file has a wrong size: file '%s': expected %llu bytes, found %zu; calibrate again", path,
                   (unsigned long long)total, s->map.size);
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
    uint64_t n = s->map.size >= 16 ? qz_load_u64le(s->map.ptr + 8) : 0;
    if (s->map.size < 16 || memcmp(s->map.ptr, magic, 8) != 0 || n > HEADER_LIMIT || n > s->map.size - 16) {
        if (not_downloaded(&s->map)) st = qz_strange(s->map.ptr, s->map.size, path, "a statistics file", err);
        if (st == QZ_OK)
            st = qz_fail(err, QZ_EFORMAT,
                         "not a statistics file: '%s'; make one with: quantz calibrate MODEL --data F -o STATS", path);
        goto out;
    }
    QZ_GOTO(qz_json_parse((const char *)s->map.ptr + 16, (size_t)n, path, &root, err));
    QZ_GOTO(read_info(s, root, path, err));
    st = find_sections(s, 16 + n, path, err);
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

qz_input_stats qz_stats_get(const qz_stats *s, size_t layer, size_t input) {
    const qz_input in = qz_input_at(&s->info.in, layer, input);
    const float *p = (const float *)(const void *)(s->map.ptr + s->offsets[s->first[layer] + input]);
    const uint64_t tokens = in.expert < 0 ? s->info.tokens
                                          : qz_load_u64le((const uint8_t *)(p + 2 * in.cols + triangle(in.cols)));
    qz_input_stats out = {.cols = in.cols, .tokens = tokens, .mean_abs = p, .max_abs = p + in.cols,
                          .gram = p + 2 * in.cols};
    if (in.expert >= 0 || s->info.held == 0) return out;
    out.held = (const uint16_t *)(const void *)(out.gram + triangle(in.cols));
    out.n_held = (size_t)s->info.held;
    return out;
}
qz_input_stats qz_stats_head(const qz_stats *s) { return qz_stats_get(s, s->info.in.layers, 0); }

void qz_stats_gram(const qz_input_stats *in, double *full) {
    const float *p = in->gram;
    for (size_t i = 0; i < in->cols; i++)
        for (size_t j = i; j < in->cols; j++, p++) full[i * in->cols + j] = full[j * in->cols + i] = *p;
}
float *qz_stats_held(const qz_input_stats *in, const float *scales) {
    float *x = qz_alloc_array(in->n_held * in->cols + 1, sizeof *x);
    for (size_t i = 0; x && i < in->n_held * in->cols; i++)
        x[i] = qz_bf16_to_f32(in->held[i]) / (scales ? scales[i % in->cols] : 1);
    return x;
}
void qz_stats_importance(const qz_input_stats *in, float *out) {
    const float *p = in->gram;
    for (size_t i = 0; i < in->cols; p += in->cols - i, i++) out[i] = *p;
}

qz_status qz_stats_check(const qz_stats *s, const qz_model *m, qz_error *err) {
    const qz_input_widths *i = &s->info.in;
    qz_input_widths want;
    qz_input_widths_of(&m->config, &want);
    bool same = i->layers == want.layers;
    for (int w = 0; w < QZ_WIDES; w++) same = same && (i->wide[w] == want.wide[w] || w == QZ_WIDE_EXPERT);
    if (!same)
        return qz_fail(err, QZ_EUSAGE,
                       "statistics do not fit the model: file '%s': expected %llu layers of %llu, found %llu of %llu; "
                       "calibrate this model",
                       s->map.path, (unsigned long long)want.layers, (unsigned long long)want.wide[QZ_WIDE_HIDDEN],
                       (unsigned long long)i->layers, (unsigned long long)i->wide[QZ_WIDE_HIDDEN]);
    const uint64_t width = i->wide[QZ_WIDE_EXPERT], wanted = want.wide[QZ_WIDE_EXPERT];
    if (i->experts == want.experts && width == wanted && memcmp(i->kind, want.kind, sizeof want.kind) == 0)
        return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "statistics do not fit the model: file '%s': expected %llu experts of %llu, found %llu of %llu, or "
                   "other layers are dense; calibrate this model",
                   s->map.path, (unsigned long long)want.experts, (unsigned long long)wanted,
                   (unsigned long long)i->experts, (unsigned long long)width);
}
