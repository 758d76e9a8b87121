#include "plan/shapes.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "base/str.h"
#include "plan/shapes_int.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { CONFIG_LIMIT = 16 << 20 };
static const qz_shape_row rows[] = {
#define QZ_SHAPE(name, facts, source) {name, facts, source},
#include "plan/shapes.def"
#undef QZ_SHAPE
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };
const qz_shape_row *qz_shape_row_at(size_t i) { return i < N_ROWS ? &rows[i] : NULL; }

static qz_status make(const char *name, qz_shape **out, qz_error *err) {
    *out = qz_calloc_array(1, sizeof **out);
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", name);
    (void)snprintf((*out)->name, sizeof (*out)->name, "%s", name);
    (*out)->dtype_bytes = 2;
    return QZ_OK;
}
void qz_shape_free(qz_shape *s) {
    if (s == NULL) return;
    qz_arena_release(&s->arena);
    qz_free(s);
}
static qz_status done(qz_status st, qz_shape *s, qz_shape **out) {
    if (st == QZ_OK) *out = s;
    else qz_shape_free(s), *out = NULL;
    return st;
}

qz_status qz_shape_from_json(const json_t *root, const char *name, qz_shape **out, qz_error *err) {
    qz_shape *s = NULL;
    *out = NULL;
    QZ_TRY(make(name, &s, err));
    qz_status st = qz_shape_read(root, s, err);
    if (st == QZ_OK) st = qz_shape_list(s, err);
    return done(st, s, out);
}

qz_status qz_shape_from_model(const qz_model *m, const char *name, qz_shape **out, qz_error *err) {
    qz_shape *s = NULL;
    *out = NULL;
    QZ_TRY(make(name, &s, err));
    s->config = m->config;
    qz_shape_take_config(s);
    return done(qz_shape_list(s, err), s, out);
}

/* "…/Llama-3-8B/config.json" is called Llama-3-8B. */
static void name_folder(qz_shape *s, const char *file) {
    const char *end = strrchr(file, '/'), *start = end;
    if (end == NULL || end == file) return;
    while (start > file && start[-1] != '/') start--;
    if (end - start > 0 && *start != '.')
        (void)snprintf(s->name, sizeof s->name, "%.*s", (int)qz_min_size((size_t)(end - start), sizeof s->name - 1),
                       start);
}

qz_status qz_shape_load(const char *path, qz_shape **out, qz_error *err) {
    json_t *root = NULL;
    *out = NULL;
    char *file = qz_path_is_dir(path) ? qz_path_join(path, "config.json") : qz_strdup(path);
    if (file == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", path);
    qz_status st = qz_json_load(file, CONFIG_LIMIT, &root, err);
    if (st == QZ_OK) st = qz_shape_from_json(root, file, out, err);
    if (st == QZ_OK) name_folder(*out, file);
    json_decref(root);
    qz_free(file);
    return st;
}

/* ---- built-in shapes ---- */
static void normalise(const char *text, char out[64]) {
    size_t n = 0;
    for (; *text && n < 63; text++)
        if (isalnum((unsigned char)*text)) out[n++] = (char)tolower((unsigned char)*text);
    out[n] = 0;
}

static json_t *value_of(const char *text) {
    char *end;
    if (strcmp(text, "true") == 0) return json_true();
    if (strcmp(text, "null") == 0) return json_null();
    long long v = strtoll(text, &end, 10);
    return *end == 0 ? json_integer(v) : json_string(text);
}

/* "key=value key=value": facts in config.json's spelling; rope_type and quant_method become their objects. */
static json_t *facts_json(const char *facts) {
    json_t *root = json_object(), *rope = NULL;
    char word[96], *eq;
    while (root && *facts) {
        size_t n = strcspn(facts, " ");
        (void)snprintf(word, sizeof word, "%.*s", (int)qz_min_size(n, sizeof word - 1), facts);
        facts += n + (facts[n] == ' ');
        eq = strchr(word, '=');
        if (eq == NULL) continue;
        *eq++ = 0;
        bool bad;
        if (strcmp(word, "rope_type") == 0) {
            rope = json_pack("{s:s,s:i,s:i}", "rope_type", eq, "low_freq_factor", 1, "high_freq_factor", 4);
            bad = json_object_set_new(root, "rope_scaling", rope) != 0;
        } else if (rope && strcmp(word, "factor") == 0) bad = json_object_set_new(rope, word, value_of(eq)) != 0;
        else if (rope && strcmp(word, "original") == 0)
            bad = json_object_set_new(rope, "original_max_position_embeddings", value_of(eq)) != 0;
        else if (strcmp(word, "quant_method") == 0)
            bad = json_object_set_new(root, "quantization_config", json_pack("{s:s}", word, eq)) != 0;
        else bad = json_object_set_new(root, word, value_of(eq)) != 0;
        if (bad) {
            json_decref(root);
            return NULL;
        }
    }
    return root;
}

/* The name of a model without what hubs add to it: "Meta-Llama-3.1-8B-Instruct" is llama-3.1-8b. want: normalised. */
static void plain_name(const char *text, char want[64]) {
    static const char *const ends[] = {"instruct", "it", "chat", "base", "hf", "pt", "v01", "v02", "v03"};
    normalise(text, want);
    if (qz_str_starts(want, "meta")) memmove(want, want + 4, strlen(want + 4) + 1);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strlen(want) > strlen(ends[i]) && qz_str_ends(want, ends[i]))
            want[strlen(want) - strlen(ends[i])] = 0, i = (size_t)-1;
}
/* Is the text before the slash an organization that a row comes from? A path that does not exist is no hub id. */
static bool from_hub(const char *text, const char *slash) {
    const size_t n = (size_t)(slash - text);
    for (size_t i = 0; i < N_ROWS; i++) {
        const char *org = strstr(rows[i].source, "; "); /* "where it was read first; org/name config.json" */
        org = org ? org + 2 : rows[i].source;
        if (strncasecmp(org, text, n) == 0 && org[n] == '/') return true;
    }
    return false;
}

static const qz_shape_row *find_row(const char *text, const char **nearest) {
    char want[64], plain[64], have[64];
    const char *slash = strchr(text, '/');
    *nearest = NULL;
    if (slash && !from_hub(text, slash)) return NULL;
    normalise(slash ? slash + 1 : text, want);
    plain_name(slash ? slash + 1 : text, plain);
    qz_near near = {.word = plain, .limit = strlen(plain) / 3 + 2};
    const qz_shape_row *found = NULL;
    for (size_t i = 0; i < N_ROWS; i++) {
        normalise(rows[i].name, have);
        if (strcmp(want, have) == 0) return &rows[i];
        if (strcmp(plain, have) == 0) found = &rows[i];
        if (qz_near_as(&near, have, rows[i].name)) *nearest = rows[i].name;
    }
    return found;
}
bool qz_shape_is_builtin(const char *text) {
    const char *nearest;
    return find_row(text, &nearest) != NULL;
}

/* "qwen3.5" is a family whose rows have a size behind: "qwen3.5-9b, qwen3.5-27b". */
static void sizes_of(const char *name, char *out, size_t size) {
    const size_t n = strlen(name);
    size_t at = 0;
    *out = 0;
    for (size_t i = 0; i < N_ROWS && n; i++)
        if (strncasecmp(rows[i].name, name, n) == 0 && rows[i].name[n] == '-' && at < size)
            at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", rows[i].name);
}

qz_status qz_shape_builtin(const char *name, qz_shape **out, qz_error *err) {
    const char *nearest;
    const qz_shape_row *r = find_row(name, &nearest);
    char sizes[200];
    *out = NULL;
    sizes_of(name, sizes, sizeof sizes);
    if (r == NULL && *sizes)
        return qz_fail(err, QZ_EUSAGE,
                       "'%s' is a family of models: expected a built-in shape with its size, one of %s, or a "
                       "config.json",
                       name, sizes);
    if (r == NULL)
        return qz_fail(err, QZ_EUSAGE,
                       "no model '%s': expected a config.json, a folder, a GGUF file or a built-in shape; %s%s%s "
                       "('quantz plan --shapes' lists them)",
                       name, nearest ? "nearest built-in is '" : "none is called like it", nearest ? nearest : "",
                       nearest ? "'" : "");
    json_t *root = facts_json(r->facts);
    if (root == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", name);
    qz_status st = qz_shape_from_json(root, r->name, out, err);
    json_decref(root);
    return st;
}

size_t qz_shape_layers_of(const qz_shape *s, qz_attn kind) {
    size_t n = 0;
    for (size_t i = 0; i < s->layers; i++) n += s->attn[i] == (uint8_t)kind;
    return n;
}

uint64_t qz_shape_default_ctx(const qz_shape *s) {
    return s->max_position && s->max_position < QZ_DEFAULT_CTX ? s->max_position : QZ_DEFAULT_CTX;
}

uint64_t qz_shape_max_cols(const qz_shape *s) {
    uint64_t n = 0;
    for (size_t i = 0; i < s->n_tensors; i++)
        if ((s->tensors[i].role == QZ_ROLE_LINEAR || s->tensors[i].role == QZ_ROLE_EXPERT) && s->tensors[i].cols > n)
            n = s->tensors[i].cols;
    return n;
}
