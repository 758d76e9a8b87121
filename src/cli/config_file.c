#include "cli/config_file.h"
#include "base/io.h"
#include "base/json.h"
#include "base/str.h"
#include "produce/catalog.h"
#include "produce/recipe.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FILE_LIMIT = 64 << 20 };
typedef enum { OPTION, COUNT, SWITCH, WORD, ONLY, FACT } what;
enum { AWQ = 1, GPTQ = 2, BNB = 4, ALL = 7 };
typedef struct {
    const char *name;
    what what;
    size_t at;          /* in qz_scheme_parts */
    const char *text;   /* OPTION: its name; ONLY: the values */
    unsigned methods;
} library_key;

#define AT_OPTION(argument) 0, argument
#define AT_ONLY(argument) 0, argument
#define AT_FACT(argument) 0, NULL
#define AT_COUNT(argument) offsetof(qz_scheme_parts, argument), NULL
#define AT_SWITCH(argument) offsetof(qz_scheme_parts, argument), NULL
#define AT_WORD(argument) offsetof(qz_scheme_parts, argument), NULL
static const library_key keys[] = {
#define QZ_LIBRARY_KEY(name, what, argument, methods) {name, what, AT_##what(argument), methods},
#include "cli/config_keys.def"
#undef QZ_LIBRARY_KEY
};
enum { KEYS = sizeof keys / sizeof keys[0] };
_Static_assert((int)KEYS <= (int)QZ_LIBRARY_KEYS, "room for the keys that were given");

const char *qz_library_key(size_t i) { return i < KEYS ? keys[i].name : NULL; }

void qz_scheme_parts_init(qz_scheme_parts *p) {
    *p = (qz_scheme_parts){0};
    for (size_t i = 0; i < KEYS; i++)
        if (keys[i].what == SWITCH) *(int *)(void *)((char *)p + keys[i].at) = QZ_PART_UNSET;
}

/* ---- one key ---- */
static bool is_among(const char *list, const char *word) {
    for (size_t n = strlen(word); *list; list += strcspn(list, "|"), list += *list == '|')
        if (strcspn(list, "|") == n && strncasecmp(list, word, n) == 0) return true;
    return false;
}

static qz_status bad_value(const char *where, const char *text, const char *expected, qz_error *err) {
    return qz_fail(err, QZ_EUSAGE, "%s: bad value '%s': expected %s", where, text, expected);
}

static qz_status set_switch(int *field, const char *text, const char *where, qz_error *err) {
    const bool on = is_among("true|1|yes", text);
    if (!on && !is_among("false|0|no", text)) return bad_value(where, text, "true or false", err);
    *field = on;
    return QZ_OK;
}

static qz_status set_count(long *field, const char *text, const char *where, qz_error *err) {
    char *end;
    errno = 0;
    const long n = strtol(text, &end, 10);
    if (end == text || *end || errno || n == 0 || n < -1 || n > 1 << 20)
        return bad_value(where, text, "a whole number (group_size -1: the whole row)", err);
    *field = n;
    return QZ_OK;
}

static bool is_part(const library_key *k) { return k->what == COUNT || k->what == SWITCH || k->what == WORD; }
static size_t size_of(what w) { return w == COUNT ? sizeof(long) : w == SWITCH ? sizeof(int) : sizeof(const char *); }

static bool same_part(const library_key *k, const qz_scheme_parts *a, const qz_scheme_parts *b) {
    const char *x = (const char *)a + k->at, *y = (const char *)b + k->at;
    if (k->what != WORD) return memcmp(x, y, size_of(k->what)) == 0;
    return strcasecmp(*(const char *const *)(const void *)x, *(const char *const *)(const void *)y) == 0;
}

/* The part anew; another spelling of it may have been given, with the same value. */
static qz_status set_part(size_t i, const char *text, const char *where, qz_scheme_parts *p, qz_error *err) {
    const library_key *k = &keys[i];
    const qz_scheme_parts was = *p;
    void *field = (char *)p + k->at;
    if (k->what == COUNT) QZ_TRY(set_count(field, text, where, err));
    else if (k->what == SWITCH) QZ_TRY(set_switch(field, text, where, err));
    else *(const char **)field = text;
    for (size_t other = 0; other < KEYS; other++)
        if (p->given[other] && is_part(&keys[other]) && keys[other].at == k->at && !same_part(k, &was, p))
            return qz_fail(err, QZ_EUSAGE, "%s: '%s' sets the same and was given another value", where,
                           keys[other].name);
    p->given[i] = true;
    return QZ_OK;
}

qz_status qz_library_key_set(const qz_verb *v, size_t i, const char *text, const char *where, qz_scheme_parts *p,
                             qz_request *r, qz_error *err) {
    const library_key *k = &keys[i];
    if (k->what == FACT) return QZ_OK;
    if (k->what == OPTION) {
        const qz_option *o = qz_option_find(v, k->text);
        p->given[i] = true;
        return o ? qz_option_set(v, o, text, r, err)
                 : qz_fail(err, QZ_EUSAGE, "%s: quantz %s has no --%s", where, v->name, k->text);
    }
    if (qz_option_find(v, "to") == NULL)
        return qz_fail(err, QZ_EUSAGE, "%s: quantz %s writes no artifact", where, v->name);
    if (k->what != ONLY) return set_part(i, text, where, p, err);
    p->given[i] = true;
    return is_among(k->text, text) ? QZ_OK : bad_value(where, text, k->text, err);
}

void qz_scheme_parts_over(qz_scheme_parts *file, const qz_scheme_parts *line, bool to) {
    const char *with = file->with;
    if (to) qz_scheme_parts_init(file);
    file->with = with;
    const bool loads = line->four >= 0 || line->eight >= 0;
    if (loads) file->four = file->eight = QZ_PART_UNSET;
    for (size_t i = 0; i < KEYS; i++) {
        if (line->given[i] && is_part(&keys[i]))
            memcpy((char *)file + keys[i].at, (const char *)line + keys[i].at, size_of(keys[i].what));
        file->given[i] = file->given[i] || line->given[i];
    }
}

/* ---- parts to a scheme ---- */
static qz_status join_awq(const qz_scheme_parts *p, qz_str *s, qz_error *err) {
    if (p->zero_point == 0)
        return qz_fail(err, QZ_EUSAGE,
                       "AWQ files of this program have zero points: expected zero_point true, found false; "
                       "use gptq for symmetric codes");
    if (p->group_size < 0)
        return qz_fail(err, QZ_EUSAGE,
                       "AWQ files have groups: expected group_size 32, 64 or 128, found -1 (the whole row); gptq has "
                       "it");
    if (p->version && !is_among("GEMM", p->version))
        return qz_fail(err, QZ_EUSAGE,
                       "AWQ version '%s' is not written: expected GEMM, which vLLM, SGLang and transformers load",
                       p->version);
    qz_str_printf(s, "awq:w%ldg%ld", p->bits ? p->bits : 4, p->group_size ? p->group_size : 128);
    return QZ_OK;
}

static qz_status join_gptq(const qz_scheme_parts *p, qz_str *s, qz_error *err) {
    const bool asym = p->sym == 0;
    if (p->format && !is_among("gptq|gptq_v2", p->format))
        return qz_fail(err, QZ_EUSAGE, "checkpoint_format '%s' is not written: expected gptq or gptq_v2", p->format);
    qz_str_printf(s, "gptq:w%ldg%ld%s%s%s%s", p->bits ? p->bits : 4, p->group_size ? p->group_size : 128,
                  asym ? "+asym" : "", p->desc_act == 1 ? "+act_order" : "",
                  p->desc_act == 1 && p->static_groups == 1 ? "+static_groups" : "", p->lm_head == 1 ? "+lm_head" : "");
    if (p->format) qz_str_puts(s, is_among("gptq", p->format) ? "+v1" : "+v2");
    return QZ_OK;
}

/* The library's own default is fp4. */
static qz_status join_bnb(const qz_scheme_parts *p, qz_str *s, qz_error *err) {
    static const struct { const char *names, *flag; } types[] = {
        {"bfloat16|bf16|torch.bfloat16", "+bf16"}, {"float16|fp16|torch.float16", "+fp16"},
        {"float32|fp32|torch.float32", "+fp32"}};
    if (p->four == 1 && p->eight == 1)
        return qz_fail(err, QZ_EUSAGE, "load_in_4bit and load_in_8bit contradict each other; give one");
    if (p->eight == 1) return qz_str_puts(s, "bnb:int8"), QZ_OK;
    if (p->four == 0 || (p->four < 0 && !p->code && p->nested < 0 && !p->compute))
        return qz_fail(err, QZ_EUSAGE,
                       "bitsandbytes in how many bits: expected load_in_4bit or load_in_8bit true, found neither");
    qz_str_printf(s, "bnb:%s%s", p->code ? p->code : "fp4", p->nested == 1 ? "+double" : "");
    if (p->compute == NULL) return QZ_OK;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (is_among(types[i].names, p->compute)) return qz_str_puts(s, types[i].flag), QZ_OK;
    return bad_value("bnb_4bit_compute_dtype", p->compute, "bfloat16, float16 or float32", err);
}

typedef struct {
    const char *name, *library;
    unsigned bit;
    qz_status (*join)(const qz_scheme_parts *p, qz_str *s, qz_error *err);
} method;
static const method methods[] = {{"awq", "awq", AWQ, join_awq}, {"gptq", "gptq", GPTQ, join_gptq},
                                 {"bnb", "bitsandbytes", BNB, join_bnb}};
enum { METHODS = sizeof methods / sizeof methods[0] };

static const method *method_by(const char *name) {
    for (size_t i = 0; i < METHODS; i++)
        if (strcasecmp(methods[i].name, name) == 0 || strcasecmp(methods[i].library, name) == 0) return &methods[i];
    return NULL;
}

/* The first part that was given, NULL: none. */
static const char *first_part(const qz_scheme_parts *p) {
    for (size_t i = 0; i < KEYS; i++)
        if (p->given[i] && is_part(&keys[i]) && strcmp(keys[i].name, "true_sequential") != 0) return keys[i].name;
    return NULL;
}

/* The method: as said (to, quant_method), or the only one that has all that was given. */
static qz_status find_method(const qz_scheme_parts *p, const char *to, const method **out, qz_error *err) {
    unsigned left = ALL;
    *out = NULL;
    for (size_t i = 0; i < KEYS; i++)
        if (p->given[i] && is_part(&keys[i])) left &= keys[i].methods;
    if (to && (*out = method_by(to)) == NULL)
        return qz_fail(err, QZ_EUSAGE,
                       "'%s' sets a part of awq, gptq or bnb, and the scheme is given as '%s'; give the whole as --to",
                       first_part(p), to);
    const method *said = p->method ? method_by(p->method) : NULL;
    if (p->method && !said)
        return qz_fail(err, QZ_EUSAGE, "method '%s' is not written: expected awq, gptq or bitsandbytes", p->method);
    if (said && *out && said != *out)
        return qz_fail(err, QZ_EUSAGE, "the method is given as '%s' and as '%s'", p->method, to);
    if (*out == NULL) *out = said;
    for (size_t i = 0; i < METHODS && *out == NULL; i++)
        if (left == methods[i].bit) *out = &methods[i];
    if (*out == NULL)
        return qz_fail(err, QZ_EUSAGE, "'%s' without a scheme: give --to awq, gptq or bnb", first_part(p));
    for (size_t i = 0; i < KEYS; i++)
        if (p->given[i] && keys[i].what != OPTION && !(keys[i].methods & (*out)->bit))
            return qz_fail(err, QZ_EUSAGE, "'%s' is no setting of %s", keys[i].name, (*out)->library);
    return QZ_OK;
}

/* What the recipe was made with must be there again, else other bytes would come out. */
static qz_status check_with(const qz_scheme_parts *p, const qz_request *r, qz_error *err) {
    if (p->with == NULL) return QZ_OK;
    const bool matrix = strcmp(p->with, "imatrix") == 0;
    if (!matrix && strcmp(p->with, "calibration") != 0)
        return qz_fail(err, QZ_EUSAGE, "key 'with' of the recipe in '%s': expected calibration or imatrix, found '%s'",
                       r->config, p->with);
    if (matrix ? r->imatrix != NULL : r->data || r->stats) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "the recipe in '%s' was made with %s: give %s again, or leave the key 'with' out of a copy of it",
                   r->config, matrix ? "an importance matrix" : "calibration data",
                   matrix ? "--imatrix" : "--calib or --stats");
}

qz_status qz_scheme_parts_join(const qz_verb *v, const qz_scheme_parts *p, qz_arena *keep, qz_request *r,
                               qz_error *err) {
    const qz_option *to = qz_option_find(v, "to");
    const bool open = to == NULL || r->to == NULL || r->to == to->fallback;
    const method *m;
    if (p->true_sequential == 0) r->together = true;
    QZ_TRY(check_with(p, r, err));
    if (first_part(p) == NULL) return QZ_OK;
    QZ_TRY(find_method(p, open ? NULL : r->to, &m, err));
    qz_str s = {0};
    qz_status st = m->join(p, &s, err);
    if (st == QZ_OK) r->to = s.failed ? NULL : qz_arena_strdup(keep, s.ptr);
    qz_str_release(&s);
    return st == QZ_OK && r->to == NULL ? qz_fail(err, QZ_EMEMORY, "out of memory") : st;
}

/* ---- the file ---- */
typedef struct {
    const qz_verb *v;
    const char *path;
    qz_arena *keep;
    qz_scheme_parts *parts;
    qz_request *r;
    const char **seen; size_t n_seen; /* names of options that the file has set */
} reader;

static qz_status unknown_key(const reader *x, const char *key, qz_error *err) {
    if (strcmp(key, "seed") == 0)
        return qz_fail(err, QZ_EUSAGE,
                       "key 'seed' in '%s': nothing that 'quantz %s' does is random: equal recipes, sources and data "
                       "give equal bytes; leave it out",
                       x->path, x->v->name);
    const char *best = qz_option_nearest(x->v, key);
    if (best && strcmp(best, "help") == 0) best = NULL; /* no setting */
    return qz_fail(err, QZ_EUSAGE,
                   "unknown key '%s' in '%s': %s%s%s; keys are the options of 'quantz %s --help'%s", key, x->path,
                   best ? "nearest known is '" : "none is like it", best ? best : "", best ? "'" : "", x->v->name,
                   qz_option_find(x->v, "to") ? " and the libraries' own names" : "");
}

/* A value as the command line would spell it; NULL with an error if there is no such spelling. */
static const char *spelling(const reader *x, const char *key, const json_t *value, qz_error *err) {
    const char *text = NULL;
    if (json_is_string(value)) text = qz_arena_strdup(x->keep, json_string_value(value));
    else if (json_is_integer(value)) text = qz_arena_printf(x->keep, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value)) text = qz_arena_printf(x->keep, "%.17g", json_real_value(value));
    else if (json_is_boolean(value)) text = json_is_true(value) ? "true" : "false";
    else if (json_array_size(value) == 1 && json_is_string(json_array_get(value, 0)))
        text = qz_arena_strdup(x->keep, json_string_value(json_array_get(value, 0)));
    else if ((json_is_array(value) && json_array_size(value) == 0) ||
             (json_is_object(value) && json_object_size(value) == 0))
        text = "[]";
    else {
        (void)qz_fail(err, QZ_EUSAGE, "key '%s' in '%s': expected a text, a number, true or false, found %s%s", key,
                      x->path, qz_json_kind(value),
                      json_is_object(value) || json_is_array(value) ? "; rules for single modules are given as 'module'"
                                                                    : "");
        return NULL;
    }
    if (text == NULL) (void)qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", x->path);
    return text;
}

static qz_status set_row(const reader *x, const qz_option *o, const char *key, const json_t *value, qz_error *err) {
    if (o->kind == QZ_OPT_FLAG) {
        if (!json_is_boolean(value))
            return qz_fail(err, QZ_EUSAGE, "key '%s' in '%s': expected true or false, found %s", key, x->path,
                           qz_json_kind(value));
        *(bool *)(void *)((char *)x->r + o->offset) = json_is_true(value);
        return QZ_OK;
    }
    const bool list = o->kind == QZ_OPT_LIST && json_is_array(value);
    for (size_t i = 0; i < (list ? json_array_size(value) : 1); i++) {
        const char *text = spelling(x, key, list ? json_array_get(value, i) : value, err);
        if (text == NULL) return err->code;
        qz_error why = {0};
        qz_status st = qz_option_set(x->v, o, text, x->r, &why);
        if (st != QZ_OK) return qz_fail(err, st, "key '%s' in '%s': %s", key, x->path, why.text);
    }
    return QZ_OK;
}

/* An option under two names is one setting. */
static qz_status once(reader *x, const char *option, const char *key, qz_error *err) {
    for (size_t i = 0; i < x->n_seen; i++)
        if (strcmp(x->seen[i], option) == 0)
            return qz_fail(err, QZ_EUSAGE, "key '%s' in '%s': --%s is set twice, under two names", key, x->path,
                           option);
    if (x->n_seen < QZ_LIBRARY_KEYS) x->seen[x->n_seen++] = option;
    return QZ_OK;
}

static qz_status read_key(reader *x, const char *key, const json_t *value, qz_error *err) {
    char where[256];
    if (json_is_null(value)) return QZ_OK; /* not given */
    const qz_option *o = qz_option_find(x->v, key);
    if (strcmp(key, "config") == 0 || strcmp(key, "help") == 0)
        return qz_fail(err, QZ_EUSAGE, "key '%s' in '%s': --%s is for the command line alone", key, x->path, key);
    if (o) QZ_TRY(once(x, o->name, key, err));
    if (o) return set_row(x, o, key, value, err);
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].name, key) != 0) continue;
        if (keys[i].what == FACT) return QZ_OK;
        if (keys[i].what == OPTION) QZ_TRY(once(x, keys[i].text, key, err));
        const char *text = spelling(x, key, value, err);
        (void)snprintf(where, sizeof where, "key '%s' in '%s'", key, x->path);
        return text ? qz_library_key_set(x->v, i, text, where, x->parts, x->r, err) : err->code;
    }
    return unknown_key(x, key, err);
}

static qz_status read_object(reader *x, json_t *o, qz_error *err) {
    const char *key;
    json_t *value;
    json_t *verb = json_object_get(o, "verb"), *with = json_object_get(o, "with");
    if (verb && !json_is_string(verb))
        return qz_fail(err, QZ_EUSAGE, "key 'verb' in '%s': expected a text, found %s", x->path, qz_json_kind(verb));
    if (verb && strcmp(json_string_value(verb), x->v->name) != 0)
        return qz_fail(err, QZ_EUSAGE, "'%s' is a recipe of quantz %s: found in a call of quantz %s", x->path,
                       json_string_value(verb), x->v->name);
    if (with && !json_is_string(with))
        return qz_fail(err, QZ_EUSAGE, "key 'with' in '%s': expected a text, found %s", x->path, qz_json_kind(with));
    if (with && (x->parts->with = qz_arena_strdup(x->keep, json_string_value(with))) == NULL)
        return qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", x->path);
    json_object_foreach(o, key, value) {
        qz_status st = strcmp(key, "verb") == 0 || strcmp(key, "with") == 0 ? QZ_OK : read_key(x, key, value, err);
        if (st != QZ_OK) return st;
    }
    return QZ_OK;
}

/* Of a JSON file: its own object, its quantization_config, or the recipe of a manifest. */
static json_t *settings_in(const json_t *root) {
    json_t *recipe = json_object_get(json_object_get(root, "provenance"), QZ_RECIPE_KEY),
           *inner = json_object_get(root, "quantization_config");
    return json_deep_copy(recipe ? recipe : inner ? inner : root);
}

static qz_status find_settings(const qz_verb *v, const char *path, qz_arena *keep, json_t **out, qz_error *err) {
    json_t *root = NULL;
    const bool artifact = qz_path_is_dir(path) || qz_str_ends(path, ".gguf");
    if (artifact && qz_option_find(v, "to") == NULL)
        return qz_fail(err, QZ_EUSAGE,
                       "--config '%s': an artifact's recipe says how it was made, and quantz %s makes none: expected a "
                       "JSON file whose keys are options of 'quantz %s --help'",
                       path, v->name, v->name);
    if (artifact) {
        const char *recipe = qz_catalog_recipe(path, keep);
        if (recipe == NULL)
            return qz_fail(err, QZ_EUSAGE,
                           "'%s' records no recipe: --config takes a JSON file, or an artifact of this program", path);
        if (*recipe == '{') return qz_json_parse(recipe, strlen(recipe), path, out, err);
        *out = json_string(recipe);
    } else {
        QZ_TRY(qz_json_load(path, FILE_LIMIT, &root, err));
        *out = settings_in(root);
        json_decref(root);
    }
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", path);
    if (json_is_string(*out))
        return qz_fail(err, QZ_EUSAGE,
                       "the recipe in '%s' is of an older version of quantz: '%.80s'; give its settings as options",
                       path, json_string_value(*out));
    if (json_is_object(*out)) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "settings in '%s': expected an object, found %s", path, qz_json_kind(*out));
}

qz_status qz_config_file_apply(const qz_verb *v, const char *path, qz_arena *keep, qz_scheme_parts *p, qz_request *r,
                               qz_error *err) {
    const char *seen[QZ_LIBRARY_KEYS];
    reader x = {v, path, keep, p, r, seen, 0};
    json_t *o = NULL;
    qz_status st = find_settings(v, path, keep, &o, err);
    if (st == QZ_OK) st = read_object(&x, o, err);
    json_decref(o);
    return st;
}
