#include "artifacts/adapter.h"
#include "artifacts/module_rules.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "model/checkpoint.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG "adapter_config.json"
#define WEIGHTS "adapter_model.safetensors"
enum { CONFIG_LIMIT = 1 << 20, NAME = 512 };

static qz_status no_memory(const qz_adapter *a, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory opening adapter '%s'", a->path);
}

/* ---- configuration ---- */
typedef enum { READ, PLAIN, EMPTY } key_kind;
typedef struct { const char *name; key_kind kind; } key_row;
static const key_row keys[] = {
#define QZ_ADAPTER_KEY(name, kind) {name, kind},
#include "artifacts/adapter_keys.def"
#undef QZ_ADAPTER_KEY
};

static bool says_nothing(const json_t *v) {
    const char *s = json_string_value(v);
    return qz_json_empty(v) || json_is_false(v) || (s && (*s == 0 || strcmp(s, "none") == 0)) ||
           (json_is_array(v) && json_array_size(v) == 0);
}

static qz_status judge_keys(const json_t *root, const char *file, qz_error *err) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)root, key, value) {
        key_kind kind = EMPTY;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (strcmp(keys[i].name, key) == 0) kind = keys[i].kind;
        if (kind == EMPTY && !says_nothing(value))
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "adapter with an option that is not computed here: file '%s', key '%s': expected null or "
                           "false; merge it with the library that trained it",
                           file, key);
    }
    return QZ_OK;
}

/* Start values that were taken out of the base: B·A belongs to weights that the adapter does not hold. */
static qz_status judge_start(const json_t *root, const char *file, qz_error *err) {
    static const char *const plain[] = {"gaussian", "eva", "orthogonal", "true", "false"};
    const json_t *v = json_object_get(root, "init_lora_weights");
    const char *s = json_string_value(v);
    for (size_t i = 0; s && i < sizeof plain / sizeof *plain; i++)
        if (strcmp(s, plain[i]) == 0) return QZ_OK;
    if (v == NULL || json_is_null(v) || json_is_boolean(v)) return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "adapter whose start values came out of the base's weights: file '%s', key 'init_lora_weights': "
                   "expected true, false, gaussian, eva or orthogonal, found '%s'; save it with "
                   "path_initial_model_for_weight_conversion, which makes a plain LoRA of it",
                   file, s ? s : qz_json_kind(v));
}

static qz_status read_config(qz_adapter *a, const json_t *root, const char *file, qz_error *err) {
    const char *type = NULL;
    QZ_TRY(qz_json_str(root, "peft_type", file, &type, err));
    if (type == NULL || strcmp(type, "LORA") != 0)
        return qz_fail(err, QZ_EUNSUPPORTED, "not a LoRA adapter: file '%s', key 'peft_type': expected LORA, found %s",
                       file, type ? type : "none");
    QZ_TRY(judge_keys(root, file, err));
    QZ_TRY(judge_start(root, file, err));
    const char *base = NULL;
    a->rank = 8, a->alpha = 8; /* the library's defaults */
    QZ_TRY(qz_json_u64(root, "r", file, &a->rank, err));
    QZ_TRY(qz_json_f64(root, "lora_alpha", file, &a->alpha, err));
    QZ_TRY(qz_json_bool(root, "use_rslora", file, &a->rslora, err));
    QZ_TRY(qz_json_bool(root, "ensure_weight_tying", file, &a->ties, err));
    QZ_TRY(qz_json_str(root, "base_model_name_or_path", file, &base, err));
    if (base && *base && (a->base = qz_arena_strdup(&a->arena, base)) == NULL) return no_memory(a, err);
    return QZ_OK;
}

/* The value of the first pattern that ends the module's name; none: *out stays. */
static qz_status by_pattern(const json_t *root, const char *key, const char *module, const char *file, double *out,
                            qz_error *err) {
    const json_t *map = json_object_get(root, key);
    const char *pattern;
    json_t *value;
    if (says_nothing(map)) return QZ_OK;
    if (!json_is_object(map))
        return qz_fail(err, QZ_EFORMAT, "wrong kind: file '%s', key '%s': expected an object of patterns, found %s",
                       file, key, qz_json_kind(map));
    json_object_foreach((json_t *)(uintptr_t)map, pattern, value) {
        qz_str re = {0};
        bool yes = false;
        qz_str_printf(&re, "(?:.*\\.)?(?:%s)$", pattern);
        qz_status st = re.failed ? qz_fail(err, QZ_EMEMORY, "out of memory matching '%s'", module)
                                 : qz_module_match(re.ptr, module, file, &yes, err);
        qz_str_release(&re);
        QZ_TRY(st);
        if (!yes) continue;
        if (!json_is_number(value) || json_number_value(value) <= 0)
            return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key '%s', pattern '%s': expected a number above 0",
                           file, key, pattern);
        *out = json_number_value(value);
        return QZ_OK;
    }
    return QZ_OK;
}

/* ---- tensors ---- */
typedef enum { IS_A, IS_B, IS_EMBED_A, IS_EMBED_B, IS_ADD, IS_WHOLE_WEIGHT, IS_WHOLE_BIAS, IS_WHOLE } role;
static const struct { const char *ending; role role; } endings[] = {
    {".lora_A.weight", IS_A}, {".lora_B.weight", IS_B}, {".lora_A.default.weight", IS_A},
    {".lora_B.default.weight", IS_B}, {".lora_embedding_A", IS_EMBED_A}, {".lora_embedding_B", IS_EMBED_B},
    {".lora_embedding_A.default", IS_EMBED_A}, {".lora_embedding_B.default", IS_EMBED_B}, {".lora_B.bias", IS_ADD},
    {".base_layer.weight", IS_WHOLE_WEIGHT}, {".base_layer.bias", IS_WHOLE_BIAS}};

/* What the tensor is, and the length of its module's name. */
static qz_status role_of(const qz_adapter *a, const char *name, role *out, size_t *stem, qz_error *err) {
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (!qz_str_ends(name, endings[i].ending)) continue;
        *out = endings[i].role;
        *stem = strlen(name) - strlen(endings[i].ending);
        return QZ_OK;
    }
    *out = IS_WHOLE;
    *stem = strlen(name);
    const bool known = qz_str_ends(name, ".weight") || qz_str_ends(name, ".bias");
    if (known && !strstr(name, ".lora_") && !strstr(name, "token_adapter")) return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "adapter with a tensor that is no LoRA: file '%s', tensor '%s': expected lora_A, lora_B or a whole "
                   "weight%s",
                   a->file.path, name, strstr(name, "magnitude") ? ", found the magnitudes of DoRA" : "");
}

static qz_adapter_part *part_of(qz_adapter *a, const char *target) {
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->parts[i].target, target) == 0) return &a->parts[i];
    char *name = qz_arena_strdup(&a->arena, target);
    if (name == NULL) return NULL;
    a->parts[a->n] = (qz_adapter_part){.target = name};
    return &a->parts[a->n++];
}

void qz_adapter_floats(const qz_st_tensor *t, float *out) {
    const qz_tensor_view v = {.type = qz_st_float_type(t->dtype), .rows = 1, .cols = (size_t)t->elems, .data = t->data};
    if (t->elems) qz_tensor_decode(&v, 0, 1, out);
}

void qz_adapter_turn(const float *x, size_t n, size_t m, float *out) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < m; k++) out[k * n + i] = x[i * m + k];
}

static qz_status check_tensor(const qz_adapter *a, const qz_st_tensor *t, bool matrix, qz_error *err) {
    const qz_type type = qz_st_float_type(t->dtype);
    if (type == QZ_TYPE_NONE || t->n_dims < 1 || t->n_dims > 2 || (matrix && t->n_dims != 2))
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "adapter with a tensor of another kind: file '%s', tensor '%s', offset %llu: expected %s of "
                       "F32, F16 or BF16, found %s of %u dimensions",
                       a->file.path, t->name, (unsigned long long)t->offset, matrix ? "a matrix" : "a tensor",
                       qz_st_dtype_name(t->dtype), t->n_dims);
    if (!qz_floats_finite(type, t->data, (size_t)t->elems))
        return qz_fail(err, QZ_ENONFINITE, "adapter with values that are not finite: file '%s', tensor '%s', offset "
                       "%llu; train it again", a->file.path, t->name, (unsigned long long)t->offset);
    return QZ_OK;
}

static qz_status add_tensor(qz_adapter *a, const qz_st_tensor *t, qz_error *err) {
    static const char prefix[] = "base_model.model.";
    const char *name = qz_str_starts(t->name, prefix) ? t->name + sizeof prefix - 1 : t->name;
    char target[NAME];
    role r;
    size_t stem;
    QZ_TRY(role_of(a, name, &r, &stem, err));
    QZ_TRY(check_tensor(a, t, r < IS_ADD, err));
    const char *suffix = r == IS_WHOLE ? "" : r == IS_ADD || r == IS_WHOLE_BIAS ? ".bias" : ".weight";
    if (snprintf(target, sizeof target, "%.*s%s", (int)stem, name, suffix) >= (int)sizeof target)
        return qz_fail(err, QZ_EFORMAT, "name too long: file '%s', tensor '%.80s…'", a->file.path, t->name);
    qz_adapter_part *p = part_of(a, target);
    if (p == NULL) return no_memory(a, err);
    const qz_st_tensor **at = r == IS_A || r == IS_EMBED_A ? &p->a
                              : r == IS_B || r == IS_EMBED_B ? &p->b
                              : r == IS_ADD                  ? &p->add
                                                             : &p->whole;
    p->embedding |= r == IS_EMBED_A || r == IS_EMBED_B;
    if (*at)
        return qz_fail(err, QZ_EFORMAT, "two tensors for one place: file '%s', tensors '%s' and '%s'", a->file.path,
                       (*at)->name, t->name);
    *at = t;
    return QZ_OK;
}

/* Ranks as the configuration says, and the scale. */
static qz_status settle(qz_adapter *a, qz_adapter_part *p, const json_t *root, const char *file, qz_error *err) {
    char module[NAME];
    (void)snprintf(module, sizeof module, "%s", p->target);
    *strrchr(module, '.') = 0;
    double rank = (double)a->rank, alpha = a->alpha;
    if (!p->a != !p->b)
        return qz_fail(err, QZ_EFORMAT, "half of an adapter: file '%s', tensor '%s': expected lora_A and lora_B, found "
                       "one of them", a->file.path, p->a ? p->a->name : p->b->name);
    QZ_TRY(by_pattern(root, "rank_pattern", module, file, &rank, err));
    QZ_TRY(by_pattern(root, "alpha_pattern", module, file, &alpha, err));
    if (p->a && (rank < 1 || p->a->dims[0] != p->b->dims[1] || (double)p->a->dims[0] != rank))
        return qz_fail(err, QZ_EFORMAT,
                       "ranks contradict each other: file '%s', tensor '%s', offset %llu: expected rank %g (%s), found "
                       "lora_A [%llu, %llu], lora_B [%llu, %llu]",
                       a->file.path, p->a->name, (unsigned long long)p->a->offset, rank, file,
                       (unsigned long long)p->a->dims[0], (unsigned long long)p->a->dims[1],
                       (unsigned long long)p->b->dims[0], (unsigned long long)p->b->dims[1]);
    p->scale = (a->rslora ? alpha / sqrt(rank) : alpha / rank) * a->weight;
    return QZ_OK;
}

/* Does a word of target_modules name the tensor's module? */
static bool is_of(const char *target, const char *word) {
    const char *dot = strrchr(target, '.');
    const size_t n = (size_t)(dot - target), k = strlen(word);
    return k && k <= n && memcmp(target + n - k, word, k) == 0 && (k == n || target[n - k - 1] == '.');
}

static qz_status find_absent(qz_adapter *a, const json_t *root, qz_error *err) {
    static const char *const lists[] = {"target_modules", "modules_to_save"};
    size_t room = 0;
    for (size_t l = 0; l < 2; l++) room += json_array_size(json_object_get(root, lists[l]));
    a->absent = qz_arena_alloc(&a->arena, room + 1, sizeof *a->absent);
    if (a->absent == NULL) return no_memory(a, err);
    for (size_t l = 0; l < 2; l++) {
        const json_t *list = json_object_get(root, lists[l]);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const char *word = json_string_value(json_array_get(list, i));
            bool there = word == NULL;
            for (size_t k = 0; k < a->n && !there; k++) there = is_of(a->parts[k].target, word);
            if (there) continue;
            a->absent[a->n_absent] = qz_arena_strdup(&a->arena, word);
            if (a->absent[a->n_absent++] == NULL) return no_memory(a, err);
        }
    }
    return QZ_OK;
}

static qz_status read_all(qz_adapter *a, qz_error *err) {
    char *config = qz_path_join(a->path, CONFIG), *weights = qz_path_join(a->path, WEIGHTS);
    json_t *root = NULL;
    qz_status st = config && weights ? QZ_OK : no_memory(a, err);
    if (st == QZ_OK && !qz_path_exists(config))
        st = qz_fail(err, QZ_EUSAGE, "not a LoRA adapter: '%s': expected a folder with " CONFIG " and " WEIGHTS
                     " (PEFT's save_pretrained), or a file .gguf, found %s",
                     a->path, qz_path_kind_text(a->path));
    if (st == QZ_OK) st = qz_json_load(config, CONFIG_LIMIT, &root, err);
    if (st == QZ_OK) st = read_config(a, root, config, err);
    if (st == QZ_OK && !qz_path_exists(weights))
        st = qz_fail(err, QZ_EUNSUPPORTED, "adapter without safetensors: folder '%s': expected " WEIGHTS
                     "; a pickle (adapter_model.bin) is not read: load and save it with PEFT", a->path);
    if (st == QZ_OK) st = qz_st_open(&a->file, weights, err);
    if (st == QZ_OK) st = qz_sha256_file_hex(weights, a->sha, err);
    if (st == QZ_OK && (a->parts = qz_arena_alloc(&a->arena, a->file.n + 1, sizeof *a->parts)) == NULL)
        st = no_memory(a, err);
    for (size_t i = 0; st == QZ_OK && i < a->file.n; i++) st = add_tensor(a, &a->file.tensors[i], err);
    for (size_t i = 0; st == QZ_OK && i < a->n; i++) st = settle(a, &a->parts[i], root, config, err);
    if (st == QZ_OK) st = find_absent(a, root, err);
    if (st == QZ_OK && a->n == 0)
        st = qz_fail(err, QZ_EFORMAT, "adapter that targets nothing: file '%s': expected tensors, found none", weights);
    json_decref(root);
    qz_free(config);
    qz_free(weights);
    return st;
}

/* "DIR:0.5": the number behind the last colon, unless a folder is called so. */
static qz_status open_text(qz_adapter *a, const char *text, qz_error *err) {
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    a->weight = 1;
    a->path = qz_arena_strdup(&a->arena, text);
    if (a->path == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening adapter '%s'", text);
    if (colon && !qz_path_exists(text)) {
        errno = 0;
        a->weight = strtod(colon + 1, &end);
        if (end == colon + 1 || *end || errno || !isfinite(a->weight))
            return qz_fail(err, QZ_EUSAGE, "bad scale of an adapter: '%s': expected DIR, FILE.gguf or DIR:NUMBER",
                           text);
        a->path = qz_arena_strndup(&a->arena, text, (size_t)(colon - text));
        if (a->path == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening adapter '%s'", text);
    }
    if (!qz_path_exists(a->path)) return qz_path_missing(a->path, err);
    const bool file = qz_str_ends(a->path, ".gguf") && !qz_path_is_dir(a->path);
    return file ? qz_adapter_open_gguf(a, err) : read_all(a, err);
}

qz_status qz_adapter_open(const char *text, qz_adapter *a, qz_error *err) {
    *a = (qz_adapter){0};
    qz_status st = open_text(a, text, err);
    if (st != QZ_OK) qz_adapter_release(a);
    return st;
}

void qz_adapter_release(qz_adapter *a) {
    qz_adapter_close_gguf(a);
    qz_st_release(&a->file);
    qz_arena_release(&a->arena);
    *a = (qz_adapter){0};
}

/* ---- the base's tensor ---- */
bool qz_adapter_spelling(const char *target, size_t i, char *buf, size_t size) {
    static const char *const roots[] = {"model.language_model.", "language_model.model.", "model.", "language_model.",
                                        ""};
    const size_t n = sizeof roots / sizeof *roots;
    const char *rest = target;
    if (i > n) return false;
    if (i == 0) return snprintf(buf, size, "%s", target) < (int)size;
    for (size_t k = 0; k < n && rest == target; k++)
        if (qz_str_starts(target, roots[k])) rest = target + strlen(roots[k]);
    return snprintf(buf, size, "%s%s", roots[i - 1], rest) < (int)size;
}

qz_status qz_adapter_fits(const qz_adapter *a, const qz_adapter_part *p, uint64_t rows, uint64_t cols, bool *turned,
                          qz_error *err) {
    const qz_st_tensor *single = p->whole ? p->whole : p->add, *t = single ? single : p->a;
    *turned = p->embedding; /* whatever fan_in_fan_out says: the library takes it back for linears, and all here are */
    bool fits = true;
    uint64_t dims[2] = {0, 0};
    if (p->a) dims[*turned] = p->b->dims[0], dims[!*turned] = p->a->dims[1];
    if (p->a) fits = dims[0] == rows && dims[1] == cols;
    for (int k = 0; k < 2 && fits; k++) {
        const qz_st_tensor *x = k ? p->add : p->whole;
        if (x == NULL) continue;
        dims[0] = x->n_dims == 2 ? x->dims[0] : 1, dims[1] = x->dims[x->n_dims - 1];
        fits = dims[0] == rows && dims[1] == cols;
        t = fits ? t : x;
    }
    if (fits) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT,
                   "adapter of another model: file '%s', tensor '%s', offset %llu: expected what fits '%s' [%llu, "
                   "%llu] of the base, found [%llu, %llu]",
                   a->file.path, t->name, (unsigned long long)t->offset, p->target, (unsigned long long)rows,
                   (unsigned long long)cols, (unsigned long long)dims[0], (unsigned long long)dims[1]);
}
